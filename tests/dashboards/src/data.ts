// Asks Prometheus as Grafana would, and makes data frames of the answers.

import {
  applyFieldOverrides,
  DataFrame,
  FieldType,
  GrafanaTheme2,
  identityOverrideProcessor,
  Registry,
  standardTransformers,
  standardTransformersRegistry,
  toDataFrame,
  transformDataFrame,
} from '@grafana/data';
import { lastValueFrom } from 'rxjs';

/** What the page was asked to draw. */
export interface Look {
  prometheus: string;
  /** Seconds since the epoch. */
  from: number;
  to: number;
  /** Seconds between points. */
  step: number;
  /** What `$__rate_interval` is. */
  rate: string;
}

interface Series {
  metric: Record<string, string>;
  values: Array<[number, string]>;
}

async function get(look: Look, path: string, parameters: Record<string, string>): Promise<Series[]> {
  const url = `${look.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`;
  const answer = await (await fetch(url)).json();
  if (answer.status !== 'success') {
    throw new Error(`${parameters.query}: ${answer.error}`);
  }
  return answer.data.result.map((one: any) => ({ metric: one.metric, values: one.values ?? [one.value] }));
}

/** The values that a variable offers. */
async function choices(look: Look, definition: string): Promise<string[]> {
  const [series, label] = definition.replace(/^label_values\((.*)\)$/, '$1').split(/, (?=\w+$)/);
  const selector = series.replaceAll('$job', '.+').replaceAll('$instance', '.+');
  // Also of what has ended meanwhile: Grafana asks for the time shown.
  const query = `count by (${label}) (last_over_time(${selector}[${Math.round(look.to - look.from)}s]))`;
  return (await get(look, 'query', { query, time: `${look.to}` })).map((one) => one.metric[label]);
}

/** What each variable stands for with all of everything chosen. */
export async function variables(look: Look, board: any): Promise<Record<string, string>> {
  const all: Record<string, string> = {
    __rate_interval: look.rate,
    __range: `${Math.round(look.to - look.from)}s`,
  };
  for (const variable of board.templating.list) {
    if (variable.type === 'query') {
      all[variable.name] = variable.allValue ?? (await choices(look, variable.query.query)).join('|');
    }
  }
  return all;
}

function expand(text: string, all: Record<string, string>): string {
  return text.replace(/\$(\w+)/g, (_, name) => {
    if (all[name] === undefined) {
      throw new Error(`$${name} stands for nothing`);
    }
    return all[name];
  });
}

/** The frames of a panel, with its units, colours, words and overrides applied. */
export async function frames(look: Look, panel: any, all: Record<string, string>, theme: GrafanaTheme2) {
  let data: DataFrame[] = [];
  for (const target of panel.targets) {
    const query = expand(target.expr, all);
    const series = target.instant
      ? await get(look, 'query', { query, time: `${look.to}` })
      : await get(look, 'query_range', { query, start: `${look.from}`, end: `${look.to}`, step: `${look.step}` });
    data = data.concat(target.format === 'table' ? table(target, series, panel) : graphs(look, target, series));
  }
  if (panel.transformations?.length) {
    data = await lastValueFrom(transformDataFrame(panel.transformations, data));
  }
  return applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: options(panel),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
}

function graphs(look: Look, target: any, series: Series[]): DataFrame[] {
  return series.map((one) => {
    const name = target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_: string, label: string) => one.metric[label] ?? '');
    // A time without a value, or with no number, is a gap and not a line to the next.
    const numbers = one.values.filter(([, value]) => Number.isFinite(Number(value)));
    const known = new Map(numbers.map(([time, value]) => [Math.round(time * 1000), Number(value)]));
    const times = target.instant ? [...known.keys()] : steps(look);
    return toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: times },
        {
          name: 'Value',
          type: FieldType.number,
          labels: one.metric,
          values: times.map((time) => known.get(time) ?? null),
          config: { displayNameFromDS: name },
        },
      ],
    });
  });
}

function steps(look: Look): number[] {
  const count = Math.floor((look.to - look.from) / look.step) + 1;
  return Array.from({ length: count }, (_, index) => Math.round((look.from + index * look.step) * 1000));
}

function table(target: any, series: Series[], panel: any): DataFrame[] {
  const labels = [...new Set(series.flatMap((one) => Object.keys(one.metric)))];
  const value = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
  return [
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: series.map((one) => one.values[0][0] * 1000) },
        ...labels.map((label) => ({
          name: label,
          type: FieldType.string,
          values: series.map((one) => one.metric[label]),
        })),
        { name: value, type: FieldType.number, values: series.map((one) => Number(one.values[0][1])) },
      ],
    }),
  ];
}

/** The options of fields that Grafana's panels would register, as far as the panel sets them. */
function options(panel: any): any {
  const option = (path: string, isCustom: boolean) => ({
    id: isCustom ? `custom.${path}` : path,
    path,
    isCustom,
    name: path,
    process: identityOverrideProcessor,
    shouldApply: () => true,
    override: () => null,
    editor: () => null,
    settings: {},
    getItemsCount: () => 0,
  });
  const own = ['unit', 'decimals', 'min', 'max', 'color', 'thresholds', 'mappings', 'displayName'];
  const custom = Object.keys(panel.fieldConfig.defaults.custom ?? {});
  return new Registry(() => [
    ...own.map((path) => option(path, false)),
    ...custom.map((path) => option(path, true)),
  ] as any);
}

standardTransformersRegistry.setInit(
  () =>
    [standardTransformers.mergeTransformer, standardTransformers.organizeFieldsTransformer,
     standardTransformers.orderFieldsTransformer, standardTransformers.filterFieldsByNameTransformer,
     standardTransformers.filterFieldsTransformer, standardTransformers.renameFieldsTransformer].map((one) => ({
      id: one.id,
      name: one.name,
      transformation: one,
      editor: () => null,
    })) as any
);
