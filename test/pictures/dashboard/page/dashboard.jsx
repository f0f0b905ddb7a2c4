import { Icon, PanelChrome, ToolbarButton } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { Visualization } from './visualizations.jsx';

/** Grafana's grid: 24 columns, and lines of 30 pixels with 8 between them. */
const [COLUMNS, LINE, GAP] = [24, 30, 8];
/** Around all of it, as in page.css. */
const EDGE = 16;
/** Charts draw themselves after they are there. */
const SETTLED_MS = 1_500;

export function Dashboard({ dashboard, rows, marks, timeRange, isDetail }) {
  const [isDrawn, setIsDrawn] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsDrawn(true), SETTLED_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div id="dashboard" data-drawn={isDrawn ? '' : undefined}>
      {!isDetail && <Controls dashboard={dashboard} timeRange={timeRange} />}
      {rows.map((row) => (
        <Row key={row.title} row={row} marks={marks} timeRange={timeRange} />
      ))}
    </div>
  );
}

function Controls({ dashboard: { title, templating, refresh }, timeRange }) {
  const minutes = Math.round((timeRange.to.valueOf() - timeRange.from.valueOf()) / 60_000);
  return (
    <header className="controls">
      <h1>{title}</h1>
      {templating.list.map(({ name, label, current }) => (
        <span key={name} className="variable">
          <label>{label}</label>
          <ToolbarButton variant="canvas" isOpen={false}>
            {[current.text].flat().join(', ')}
          </ToolbarButton>
        </span>
      ))}
      <span className="right">
        <ToolbarButton variant="canvas" icon="clock-nine" isOpen={false}>
          {`Last ${minutes} minutes`}
        </ToolbarButton>
        <ToolbarButton variant="canvas" icon="sync" isOpen={false}>
          {refresh}
        </ToolbarButton>
      </span>
    </header>
  );
}

function Row({ row: { title, isOpen, panels }, marks, timeRange }) {
  const width = document.getElementById('root').clientWidth - 2 * EDGE;
  const column = (width - (COLUMNS - 1) * GAP) / COLUMNS;
  const top = Math.min(...panels.map(({ panel }) => panel.gridPos.y));
  const bottom = Math.max(...panels.map(({ panel }) => panel.gridPos.y + panel.gridPos.h));
  return (
    <section>
      <h2 className="row-title">
        <Icon name={isOpen ? 'angle-down' : 'angle-right'} />
        {title}
      </h2>
      {isOpen && (
        <div className="grid" style={{ height: (bottom - top) * (LINE + GAP) - GAP }}>
          {panels.map(({ panel, frames, fieldConfig }) => {
            const { x, y, w, h } = panel.gridPos;
            const size = { width: Math.floor(w * (column + GAP) - GAP), height: h * (LINE + GAP) - GAP };
            return (
              <div
                key={panel.id}
                className="cell"
                style={{ left: x * (column + GAP), top: (y - top) * (LINE + GAP), ...size }}
              >
                <PanelChrome title={panel.title} description={panel.description} {...size}>
                  {(inner, innerHeight) => (
                    <Visualization
                      panel={panel}
                      frames={frames}
                      fieldConfig={fieldConfig}
                      marks={marks}
                      timeRange={timeRange}
                      width={inner}
                      height={innerHeight}
                    />
                  )}
                </PanelChrome>
              </div>
            );
          })}
        </div>
      )}
    </section>
  );
}
