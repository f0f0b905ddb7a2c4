import { DEFAULT_MAX_FRAME_SIZE, ERROR, LARGEST_MAX_FRAME_SIZE, LARGEST_WINDOW, SETTING } from './frames.ts';
import type { ErrorCode } from './frames.ts';
import type { Sending } from './sending.ts';

/** What the peer's SETTINGS change here; absent is what they leave as it was. */
export interface PeerSettings {
  readonly streamWindow: number | undefined;
  readonly maxFrameSize: number | undefined;
  /** How many streams of ours it takes at a time. */
  readonly maxStreams: number | undefined;
}

const SETTING_BYTES = 6;
/** There are six that anybody knows. */
const MAX_SETTINGS = 32;

/** RFC 9113 section 6.5.2. Tables of header compression are none of ours, and how long our heads are is not up to us. */
export function readSettings(payload: Buffer): PeerSettings | ErrorCode {
  if (payload.length > MAX_SETTINGS * SETTING_BYTES) return ERROR.ENHANCE_YOUR_CALM;
  let streamWindow: number | undefined;
  let maxFrameSize: number | undefined;
  let maxStreams: number | undefined;
  for (let at = 0; at < payload.length; at += SETTING_BYTES) {
    const value = payload.readUInt32BE(at + 2);
    switch (payload.readUInt16BE(at)) {
      case SETTING.ENABLE_PUSH:
        if (value > 1) return ERROR.PROTOCOL_ERROR;
        break;
      case SETTING.MAX_CONCURRENT_STREAMS:
        maxStreams = value;
        break;
      case SETTING.INITIAL_WINDOW_SIZE:
        if (value > LARGEST_WINDOW) return ERROR.FLOW_CONTROL_ERROR;
        streamWindow = value;
        break;
      case SETTING.MAX_FRAME_SIZE:
        if (value < DEFAULT_MAX_FRAME_SIZE || value > LARGEST_MAX_FRAME_SIZE) return ERROR.PROTOCOL_ERROR;
        maxFrameSize = value;
        break;
      default:
        break;
    }
  }
  return { streamWindow, maxFrameSize, maxStreams };
}

/** Does as they say, also to streams that are open (RFC 9113 section 6.9.2); says what is wrong with them. */
export function applySettings(
  payload: Buffer,
  sending: Sending,
  streams: Iterable<{ widen(bytes: number): boolean }>,
): ErrorCode | undefined {
  const settings = readSettings(payload);
  if (typeof settings === 'number') return settings;
  sending.maxFrameSize = settings.maxFrameSize ?? sending.maxFrameSize;
  const more = (settings.streamWindow ?? sending.streamWindow) - sending.streamWindow;
  if (more === 0) return undefined;
  sending.streamWindow += more;
  for (const stream of streams) if (!stream.widen(more)) return ERROR.FLOW_CONTROL_ERROR;
  return undefined;
}
