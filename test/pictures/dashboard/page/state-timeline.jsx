import { fieldMatchers, getFieldDisplayName } from '@grafana/data';
import { GraphNG, UPlotConfigBuilder, useTheme2 } from '@grafana/ui';

/**
 * Bands over time. Grafana's panel for them is in none of its packages: what is drawn here onto its chart is ours, with the options of
 * the dashboard, and with the words and colours that Grafana's display of a value gives.
 */
export function StateTimeline({ panel: { options, fieldConfig }, frames, timeRange, width, height }) {
  const theme = useTheme2();
  const { fillOpacity } = fieldConfig.defaults.custom;

  function prepConfig(aligned, _all, getTimeRange) {
    const builder = new UPlotConfigBuilder('utc');
    const bands = aligned.fields.slice(1);
    /** Where a line of bands is, of the height of all. */
    const middle = (index) => 1 - (index + 0.5) / bands.length;
    builder.setPrepData(([frame]) => frame.fields.map(({ values }) => values));
    builder.addScale({
      scaleKey: 'x',
      isTime: true,
      orientation: 0,
      direction: 1,
      range: () => [getTimeRange().from.valueOf(), getTimeRange().to.valueOf()],
    });
    builder.addScale({ scaleKey: 'y', isTime: false, orientation: 1, direction: 1, range: () => [0, 1] });
    builder.addAxis({ scaleKey: 'x', isTime: true, placement: 'bottom', timeZone: 'utc', theme, grid: { show: true } });
    builder.addAxis({
      scaleKey: 'y',
      placement: 'left',
      theme,
      grid: { show: false },
      ticks: { show: false },
      splits: () => bands.map((_field, index) => middle(index)),
      values: () => bands.map((field) => getFieldDisplayName(field, aligned)),
    });
    for (let line = 0; line < bands.length; line++) {
      builder.addSeries({ scaleKey: 'y', theme, pathBuilder: () => null, pointsBuilder: () => false, show: true });
    }
    builder.addHook('draw', (plot) => {
      const { ctx, bbox } = plot;
      const tall = (bbox.height / bands.length) * options.rowHeight;
      ctx.save();
      ctx.font = `500 ${Math.round(12 * devicePixelRatio)}px ${theme.typography.fontFamily}`;
      ctx.textAlign = options.alignValue;
      ctx.textBaseline = 'middle';
      for (const [index, field] of bands.entries()) {
        const y = plot.valToPos(middle(index), 'y', true);
        for (const { value, fromMs, toMs } of runs(aligned.fields[0].values, field.values)) {
          const { text, color } = field.display(value);
          const left = plot.valToPos(fromMs, 'x', true);
          const right = Math.min(plot.valToPos(toMs, 'x', true), bbox.left + bbox.width);
          ctx.globalAlpha = fillOpacity / 100;
          ctx.fillStyle = color;
          ctx.fillRect(left, y - tall / 2, right - left, tall);
          ctx.globalAlpha = 1;
          ctx.fillStyle = theme.colors.text.maxContrast;
          if (ctx.measureText(text).width + 8 < right - left) ctx.fillText(text, left + 4, y);
        }
      }
      ctx.restore();
    });
    return builder;
  }

  return (
    <GraphNG
      frames={frames}
      structureRev={1}
      fields={{ x: fieldMatchers.get('firstTimeField').get({}), y: fieldMatchers.get('numeric').get({}) }}
      prepConfig={prepConfig}
      renderLegend={() => null}
      legend={options.legend}
      theme={theme}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
    />
  );
}

/** The same value for a while is one band; it ends where the next one begins. */
function* runs(times, values) {
  let from = 0;
  for (let at = 1; at <= values.length; at++) {
    if (at < values.length && values[at] === values[from]) continue;
    if (values[from] !== null && values[from] !== undefined) {
      yield { value: values[from], fromMs: times[from], toMs: times[Math.min(at, values.length - 1)] };
    }
    from = at;
  }
}
