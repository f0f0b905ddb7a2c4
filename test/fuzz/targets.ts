import { answerTarget } from './answer-target.ts';
import { blockTarget } from './block-target.ts';
import { serverTarget } from './server-target.ts';
import type { Target } from './target.ts';

/** By the name of the directory with their corpus. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  frames: () => serverTarget('http2'),
  heads: () => serverTarget('http1'),
  blocks: blockTarget,
  'answers-http1': () => answerTarget('http1'),
  'answers-http2': () => answerTarget('http2'),
};
