import { getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BigValue, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { Marks } from './marks.jsx';
import { StateTimeline } from './state-timeline.jsx';

/** Which of Grafana's components draws what, and with which of the panel's options: as its own panels have it. */
export function Visualization({ frames, ...props }) {
  if (frames.length === 0) return <p className="no-data">No data</p>;
  switch (props.panel.type) {
    case 'timeseries':
      return <Lines frames={frames} {...props} />;
    case 'stat':
      return <Numbers frames={frames} {...props} />;
    case 'table':
      return <Rows frames={frames} {...props} />;
    case 'state-timeline':
      return <StateTimeline frames={frames} {...props} />;
    default:
      throw new Error(`the dashboard has a panel that the page does not know: ${props.panel.type}`);
  }
}

function Lines({ panel: { options }, frames, marks, timeRange, width, height }) {
  return (
    <TimeSeries
      frames={frames}
      structureRev={1}
      legend={options.legend}
      options={options}
      timeRange={timeRange}
      timeZone="utc"
      width={width}
      height={height}
    >
      {(config) => <Marks config={config} marks={marks} />}
    </TimeSeries>
  );
}

function Numbers({ panel: { options }, frames, fieldConfig, timeRange, width, height }) {
  const theme = useTheme2();
  const getValues = () =>
    getFieldDisplayValues({
      fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: (text) => text,
      theme,
      data: frames,
      sparkline: options.graphMode !== 'none',
      timeZone: 'utc',
    });
  return (
    <VizRepeater
      getValues={getValues}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, count, width: of, height: tall }) => (
        <BigValue
          value={value.display}
          sparkline={value.sparkline && { ...value.sparkline, timeRange }}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          alignmentFactors={alignmentFactors}
          count={count}
          width={of}
          height={tall}
          theme={theme}
        />
      )}
      source={frames}
      renderCounter={0}
      itemSpacing={3}
      autoGrid
      orientation={options.orientation}
      width={width}
      height={height}
    />
  );
}

function Rows({ panel: { options }, frames: [frame], fieldConfig, timeRange, width, height }) {
  return (
    <TableNG
      data={frame}
      noHeader={!options.showHeader}
      initialSortBy={options.sortBy}
      cellHeight={options.cellHeight}
      structureRev={1}
      fieldConfig={fieldConfig}
      timeRange={timeRange}
      resizable
      width={width}
      height={height}
    />
  );
}
