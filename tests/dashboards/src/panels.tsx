// Draws one panel with the component that Grafana's own panel of that kind uses.

import {
  DataFrame,
  dateTime,
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  GrafanaTheme2,
  VizOrientation,
} from '@grafana/data';
import {
  BarGauge,
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  Table,
  TimeSeries,
  VizRepeater,
} from '@grafana/ui';
import type { Look } from './data';

interface Props {
  panel: any;
  data: DataFrame[];
  look: Look;
  theme: GrafanaTheme2;
  width: number;
  height: number;
}

/** The drawing of a panel. */
export function Drawing(props: Props) {
  switch (props.panel.type) {
    case 'timeseries':
      return <Graph {...props} />;
    case 'table':
      return <Table data={props.data[0]} width={props.width} height={props.height} />;
    case 'stat':
    case 'bargauge':
      return <Values {...props} />;
    default:
      throw new Error(`no panel of the kind ${props.panel.type} can be drawn`);
  }
}

function Graph({ panel, data, look, width, height }: Props) {
  const [from, to] = [dateTime(look.from * 1000), dateTime(look.to * 1000)];
  return (
    <TimeSeries
      frames={data}
      timeRange={{ from, to, raw: { from, to } }}
      timeZone="utc"
      legend={panel.options.legend}
      width={width}
      height={height}
    />
  );
}

function Values({ panel, data, theme, width, height }: Props) {
  const values = getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data,
    timeZone: 'utc',
  });
  const bars = panel.type === 'bargauge';
  return (
    <VizRepeater
      source={values}
      getValues={() => values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      width={width}
      height={height}
      orientation={bars ? VizOrientation.Horizontal : VizOrientation.Auto}
      itemSpacing={8}
      minVizHeight={bars ? 16 : undefined}
      maxVizHeight={bars ? 40 : undefined}
      renderCounter={1}
      renderValue={({ value, width, height, alignmentFactors }) => {
        const common = { width, height, theme, alignmentFactors, value: value.display };
        if (bars) {
          return (
            <BarGauge
              {...common}
              field={value.field}
              display={value.view?.getFieldDisplayProcessor(value.colIndex!)}
              orientation={VizOrientation.Horizontal}
              displayMode={panel.options.displayMode}
              valueDisplayMode={panel.options.valueMode}
              showUnfilled={panel.options.showUnfilled}
              itemSpacing={8}
              lcdCellWidth={12}
            />
          );
        }
        return (
          <BigValue
            {...common}
            count={values.length}
            colorMode={BigValueColorMode.Value}
            graphMode={BigValueGraphMode.None}
            textMode={values.length > 1 ? BigValueTextMode.ValueAndName : BigValueTextMode.Value}
          />
        );
      }}
    />
  );
}
