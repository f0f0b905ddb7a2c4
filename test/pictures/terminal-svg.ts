/** What a terminal showed, as `tmux capture-pane -e` gives it, drawn as it was: text, bold, faint and the sixteen colours. */

const COLUMN = 8.4;
const LINE = 18;
const MARGIN = 14;
const FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
const [BACKGROUND, FOREGROUND] = ['#16181d', '#d7dae0'];
const COLOURS = ['#3f4451', '#e05561', '#8cc265', '#d18f52', '#4aa5f0', '#c162de', '#42b3c2', '#d7dae0'];

interface Style {
  readonly colour: string;
  readonly bold: boolean;
  readonly faint: boolean;
}

interface Run extends Style {
  readonly text: string;
  /** The column that it begins in. */
  readonly at: number;
}

const PLAIN: Style = { colour: FOREGROUND, bold: false, faint: false };

export function toSvg(screen: string, columns: number): string {
  const lines = screen.replace(/\s+$/, '').split('\n').map(readRuns);
  const width = Math.ceil(columns * COLUMN + 2 * MARGIN);
  const height = lines.length * LINE + 2 * MARGIN;
  const texts = lines.flatMap((runs, row) => runs.map((run) => toText(run, MARGIN + (row + 0.75) * LINE)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>`,
    `<g font-family="${FONT}" font-size="14" xml:space="preserve">`,
    ...texts,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

/** Each run has its width said, so that columns stand where they stood, whatever the font. */
function toText({ text, at, colour, bold, faint }: Run, y: number): string {
  const attributes = [
    `x="${(MARGIN + at * COLUMN).toFixed(1)}" y="${y.toFixed(1)}" fill="${colour}"`,
    `textLength="${(text.length * COLUMN).toFixed(1)}" lengthAdjust="spacingAndGlyphs"`,
    ...(bold ? ['font-weight="bold"'] : []),
    ...(faint ? ['opacity="0.6"'] : []),
  ];
  return `<text ${attributes.join(' ')}>${escape(text)}</text>`;
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll(' ', '\u00a0');

function readRuns(line: string): Run[] {
  const runs: Run[] = [];
  let style = PLAIN;
  let at = 0;
  for (const [, codes, text = ''] of line.matchAll(/\u{1b}\[([\d;]*)m|([^\u{1b}]+)/gu)) {
    if (codes !== undefined) style = codes.split(';').reduce(withCode, style);
    else {
      const shown = text.trimEnd();
      if (shown !== '') runs.push({ ...style, text: shown, at });
      at += text.length;
    }
  }
  return runs;
}

function withCode(style: Style, code: string): Style {
  const number = Number(code);
  if (number === 0) return PLAIN;
  if (number === 1) return { ...style, bold: true };
  if (number === 2) return { ...style, faint: true };
  if (number === 22) return { ...style, bold: false, faint: false };
  if (number >= 30 && number <= 37) return { ...style, colour: COLOURS[number - 30] ?? FOREGROUND };
  if (number >= 90 && number <= 97) return { ...style, colour: COLOURS[number - 90] ?? FOREGROUND };
  if (number === 39) return { ...style, colour: FOREGROUND };
  return style;
}
