import { h, svg } from './dom.js';
import { rate, time } from './format.js';

/** Small charts, drawn by hand. What they show is beside them in words or in a table, so none is the only way to see it. */

const WIDTH = 240;
const HEIGHT = 48;

/**
 * A line of what happened each second, from the left to now.
 *
 * @param {{ title: string, tone: string, points: { at: number, value: number }[], spanMs: number }} options
 */
export function sparkline({ title, tone, points, spanMs }) {
  const last = points.at(-1);
  const most = Math.max(1, ...points.map(({ value }) => value));
  const x = (/** @type {number} */ at) => WIDTH - ((last === undefined ? 0 : last.at - at) / spanMs) * WIDTH;
  const y = (/** @type {number} */ value) => HEIGHT - 2 - (value / most) * (HEIGHT - 6);
  const line = points.map(({ at, value }) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`);
  const first = points[0];
  const area =
    first === undefined ? '' : `M${x(first.at).toFixed(1)},${HEIGHT} L${line.join(' L')} L${WIDTH},${HEIGHT} Z`;
  return svg(
    'svg',
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      class: `sparkline ${tone}`,
      preserveAspectRatio: 'none',
      role: 'img',
      'aria-label': summaryOf(title, points),
    },
    svg('line', { x1: 0, y1: HEIGHT - 1, x2: WIDTH, y2: HEIGHT - 1, class: 'axis' }),
    area !== '' && svg('path', { d: area, class: 'area' }),
    line.length > 1 &&
      svg('polyline', { points: line.join(' '), class: 'line', 'vector-effect': 'non-scaling-stroke' }),
  );
}

/** The same in words. @param {string} title @param {{ at: number, value: number }[]} points */
function summaryOf(title, points) {
  const last = points.at(-1);
  if (last === undefined) return `${title}: nothing measured yet.`;
  const values = points.map(({ value }) => value);
  return `${title}: ${rate(last.value)} a second now; between ${rate(Math.min(...values))} and ${rate(Math.max(...values))} since ${time(points[0]?.at ?? last.at)}.`;
}

/**
 * A share of the most, as long as its number is large. The number is beside it.
 *
 * @param {{ value: number, most: number, tone?: string }} options
 */
export function bar({ value, most, tone = '' }) {
  const width = most > 0 ? Math.max(value > 0 ? 1 : 0, (value / most) * 100) : 0;
  return svg(
    'svg',
    { viewBox: '0 0 100 8', class: `bar ${tone}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { x: 0, y: 0, width: 100, height: 8, class: 'track' }),
    svg('rect', { x: 0, y: 0, width: width.toFixed(2), height: 8, class: 'fill' }),
  );
}

/** A number with what it is, and perhaps something below it. @param {string} title @param {...import('./dom.js').Child} rest */
export function tile(title, ...rest) {
  return h('section', { class: 'tile', 'aria-label': title }, h('h3', {}, title), ...rest);
}
