import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import '@fontsource/roboto-mono/400.css';
import { createTheme, dateTime, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { createRoot } from 'react-dom/client';
import { Dashboard } from './dashboard.jsx';
import { ask, openDataSource } from './data.js';
import './page.css';

/** Asks for all that is open, and draws it. `?from=&to=` in ms, `&row=` for each open row, `&detail=true` for these alone. */
async function main() {
  const query = new URLSearchParams(location.search);
  const [from, to] = [dateTime(Number(query.get('from'))), dateTime(Number(query.get('to')))];
  const timeRange = { from, to, raw: { from, to } };
  const theme = createTheme({ colors: { mode: 'dark' } });
  const dashboard = await (await fetch('/dashboard.json')).json();
  const open = new Set(query.getAll('row'));
  const isDetail = query.get('detail') === 'true';
  const source = openDataSource({ theme, timeRange });
  const rows = await Promise.all(
    rowsOf(dashboard)
      .filter(({ title }) => !isDetail || open.has(title))
      .map(async ({ title, panels }) => ({
        title,
        isOpen: open.has(title),
        panels: open.has(title) ? await Promise.all(panels.map((panel) => source.dataOf(panel))) : [],
      })),
  );
  const marks = (await Promise.all(dashboard.annotations.list.map((each) => ask.marks(each, timeRange)))).flat();
  await document.fonts.ready;
  createRoot(document.getElementById('root')).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <Dashboard dashboard={dashboard} rows={rows} marks={marks} timeRange={timeRange} isDetail={isDetail} />
    </ThemeContext.Provider>,
  );
}

/** A row that is open has its panels after it, a closed one in it. */
function rowsOf({ panels }) {
  const rows = [];
  for (const panel of panels) {
    if (panel.type === 'row') rows.push({ title: panel.title, panels: [...panel.panels] });
    else rows.at(-1).panels.push(panel);
  }
  return rows;
}

await main();
