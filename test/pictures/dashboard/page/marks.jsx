import { useTheme2 } from '@grafana/ui';
import { useLayoutEffect } from 'react';

/** The dashboard's annotations: what Grafana draws them with is in none of its packages, so these lines and shades are ours. */
export function Marks({ config, marks }) {
  const theme = useTheme2();
  useLayoutEffect(() => {
    config.addHook('draw', (plot) => {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.setLineDash([3, 3]);
      for (const { fromMs, toMs, color } of marks) {
        const [left, right] = [plot.valToPos(fromMs, 'x', true), plot.valToPos(toMs, 'x', true)];
        const named = theme.visualization.getColorByName(color);
        ctx.strokeStyle = named;
        for (const x of new Set([left, right])) {
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
        ctx.fillStyle = `${named}14`;
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      ctx.restore();
    });
  }, [config, marks, theme]);
  return null;
}
