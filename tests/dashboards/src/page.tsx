// A page with one dashboard, drawn from a Prometheus. The address says which:
// ?board=NAME&prometheus=URL&from=...&to=...&step=...&rate=...

import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import { createTheme, DataFrame, ThemeContext } from '@grafana/data';
import { GlobalStyles, PanelChrome } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { frames, Look, variables } from './data';
import { Drawing } from './panels';

const WIDTH = 1600;
const LABEL = "drawn with Grafana's panel library from a live run with the simulator";
/** Grafana's own measures. */
const [ROW, GAP] = [30, 8];

const theme = createTheme({ colors: { mode: 'dark' } });
const asked = new URLSearchParams(location.search);
const number = (name: string) => Number(asked.get(name));
const look: Look = {
  prometheus: asked.get('prometheus')!,
  from: number('from'),
  to: number('to'),
  step: number('step'),
  rate: asked.get('rate')!,
};

function place({ x, y, w, h }: { x: number; y: number; w: number; h: number }) {
  const column = (WIDTH - GAP) / 24;
  return {
    left: GAP + x * column,
    top: y * (ROW + GAP),
    width: w * column - GAP,
    height: h * (ROW + GAP) - GAP,
  };
}

function Panel({ panel, data }: { panel: any; data: DataFrame[] | undefined }) {
  const { width, height, ...at } = place(panel.gridPos);
  const empty = data !== undefined && data.every((frame) => frame.length === 0);
  const state = data === undefined ? 'waiting' : empty ? 'empty' : 'drawn';
  return (
    <div style={{ position: 'absolute', ...at }} data-panel={panel.title} data-state={state}>
      <PanelChrome title={panel.title} width={width} height={height}>
        {(innerWidth, innerHeight) =>
          state === 'drawn' ? (
            <Drawing panel={panel} data={data!} look={look} theme={theme} width={innerWidth} height={innerHeight} />
          ) : (
            <div style={{ textAlign: 'center', paddingTop: innerHeight / 2 - 20 }}>{empty ? 'No data' : ''}</div>
          )
        }
      </PanelChrome>
    </div>
  );
}

function Page({ board }: { board: any }) {
  const [data, setData] = useState<Record<number, DataFrame[]>>({});
  const panels = board.panels.filter((panel: any) => panel.type !== 'row');
  useEffect(() => {
    (async () => {
      const all = await variables(look, board);
      const made = panels.map(async (panel: any) => [panel.id, await frames(look, panel, all, theme)]);
      setData(Object.fromEntries(await Promise.all(made)));
    })().catch((problem) => setTimeout(() => { throw problem; }));
  }, [board]);
  const bottom = Math.max(...board.panels.map((panel: any) => panel.gridPos.y + panel.gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ width: WIDTH, paddingBottom: 4 }} id="board">
        <div style={{ display: 'flex', justifyContent: 'space-between', alignItems: 'baseline', padding: '14px 16px 8px' }}>
          <span style={{ fontSize: 22, fontWeight: 500 }}>{board.title}</span>
          <span style={{ fontSize: 14, opacity: 0.75 }}>{LABEL}</span>
        </div>
        <div style={{ position: 'relative', height: bottom * (ROW + GAP) }}>
          {board.panels.map((panel: any) =>
            panel.type === 'row' ? (
              <div key={panel.id} style={{ position: 'absolute', ...place(panel.gridPos), fontSize: 16, fontWeight: 500, paddingLeft: 8, lineHeight: '34px' }}>
                {panel.title}
              </div>
            ) : (
              <Panel key={panel.id} panel={panel} data={data[panel.id]} />
            )
          )}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

// Axes are measured with the font that they are drawn with.
await Promise.all(['400 12px Inter', '500 12px Inter'].map((font) => document.fonts.load(font)));
const board = await (await fetch(`/dashboards/${asked.get('board')}.json`)).json();
createRoot(document.getElementById('root')!).render(<Page board={board} />);
