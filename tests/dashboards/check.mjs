// Checks the shipped dashboards against the types of @grafana/schema, with the TypeScript compiler.

import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const dashboards = here('../../deploy/grafana/dashboards');
const work = here('node_modules/.check');

/** The types of a panel's options and of its fields, by its kind. */
const kinds = {
  timeseries: ['timeseries', 'TimeSeriesPanelCfg', 'FieldConfig'],
  stat: ['stat', 'StatPanelCfg'],
  bargauge: ['bargauge', 'BarGaugePanelCfg'],
  table: ['table', 'TablePanelCfg', 'FieldConfig'],
};

const head = `import type { Dashboard } from '@grafana/schema';
${Object.entries(kinds)
  .map(([kind, [folder, file]]) => `import type * as ${kind} from '../@grafana/schema/dist/esm/raw/composable/${folder}/panelcfg/x/${file}_types.gen';`)
  .join('\n')}
// A file says the text or number of an enum.
type Plain<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends (infer E)[] ? Plain<E>[] : unknown extends T ? T : { [K in keyof T]: Plain<T[K]> };
`;

/** The source that compiles if, and only if, the dashboard is one. */
function source(board) {
  const lines = [head, `export const board = ${JSON.stringify(board, null, 1)} satisfies Partial<Plain<Dashboard>>;`];
  for (const panel of board.panels.filter((panel) => panel.type !== 'row')) {
    const [, , fields] = kinds[panel.type] ?? [];
    const custom = panel.fieldConfig.defaults.custom;
    lines.push(`(${JSON.stringify(panel.options)}) satisfies Partial<Plain<${panel.type}.Options>>;`);
    if (custom) {
      lines.push(`(${JSON.stringify(custom)}) satisfies Partial<Plain<${panel.type}.${fields}>>;`);
    }
  }
  return lines.join('\n');
}

function complaints(files) {
  const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [],
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const program = ts.createProgram(files, options);
  return ts.getPreEmitDiagnostics(program).map((found) => {
    const text = ts.flattenDiagnosticMessageText(found.messageText, '\n');
    const line = found.file ? found.file.text.slice(0, found.start).split('\n').length : 0;
    return { file: found.file?.fileName.split('/').pop(), text: `${line}: ${text}` };
  });
}

await rm(work, { recursive: true, force: true });
await mkdir(work, { recursive: true });
const names = (await readdir(dashboards)).filter((name) => name.endsWith('.json'));
const boards = new Map();
for (const name of names) {
  const board = JSON.parse(await readFile(join(dashboards, name), 'utf8'));
  for (const annotation of board.annotations.list) {
    // What the data source adds to an annotation is no part of the schema.
    for (const key of ['expr', 'step', 'titleFormat']) delete annotation[key];
  }
  boards.set(name.replace('.json', '.ts'), board);
}
// Mistakes that must be found, so that a check that finds nothing is known to look.
const wrong = [
  (board) => { board.editible = true; },
  (board) => { board.panels[1].title = 5; },
  (board) => { board.panels[1].fieldConfig.defaults.thresholds.mode = 'relative'; },
  (board) => { board.panels.find((panel) => panel.type === 'timeseries').options.legend.placement = 'left'; },
  (board) => { board.panels.find((panel) => panel.type === 'timeseries').fieldConfig.defaults.custom.lineWidth = 'thin'; },
];
wrong.forEach((change, index) => {
  const board = structuredClone(boards.get('overview.ts'));
  change(board);
  boards.set(`wrong-${index}.ts`, board);
});
for (const [name, board] of boards) {
  await writeFile(join(work, name), source(board));
}
const found = complaints([...boards.keys()].map((name) => join(work, name)));
const real = found.filter(({ file }) => !file?.startsWith('wrong-'));
for (const { file, text } of real) {
  console.error(`${file}:${text}`);
}
const missed = wrong.filter((_, index) => !found.some(({ file }) => file === `wrong-${index}.ts`));
for (const change of missed) {
  console.error(`not found: ${change}`);
}
if (real.length + missed.length > 0) {
  process.exit(1);
}
console.log(`${names.length} dashboards are what @grafana/schema describes; ${wrong.length} planted mistakes were found`);
