import { collectDefaultMetrics, Registry } from 'prom-client';
import { formatGoFloat } from '../../base/go-format.js';
import {
  HistogramInstrument,
  LabelledFamily,
  type Labels,
  NumberInstrument,
  type Sample,
} from './instruments.js';

/** Name and meaning of a metric. */
type Definition = readonly [name: string, help: string];

type MetricType = 'counter' | 'gauge' | 'histogram';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  readonly samples: () => Sample[];
}

/** Facts of the process, which several servers in it share. */
let processRegistry: Registry | undefined;

function processMetrics(): Registry {
  if (processRegistry === undefined) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}

/** The metrics of one server, written in the Prometheus text format. */
export class MetricRegistry {
  readonly #metrics: Metric[] = [];

  static readonly contentType = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

  counter(name: string, help: string): NumberInstrument {
    return this.#number('counter', [name, help]);
  }

  gauge(name: string, help: string): NumberInstrument {
    return this.#number('gauge', [name, help]);
  }

  histogram(name: string, help: string, bounds: readonly number[]): HistogramInstrument {
    const instrument = new HistogramInstrument(bounds);
    this.#add([name, help], 'histogram', () => instrument.samples({}));
    return instrument;
  }

  labelledCounter(
    name: string,
    help: string,
    ...labelNames: readonly string[]
  ): LabelledFamily<NumberInstrument> {
    return this.#numberFamily('counter', [name, help], labelNames);
  }

  labelledGauge(
    name: string,
    help: string,
    ...labelNames: readonly string[]
  ): LabelledFamily<NumberInstrument> {
    return this.#numberFamily('gauge', [name, help], labelNames);
  }

  labelledHistogram(
    name: string,
    help: string,
    bounds: readonly number[],
    ...labelNames: readonly string[]
  ): LabelledFamily<HistogramInstrument> {
    const family = new LabelledFamily(labelNames, () => new HistogramInstrument(bounds));
    this.#add([name, help], 'histogram', () => family.samples());
    return family;
  }

  /** The text of a scrape, metrics in the order of their names. */
  async text(): Promise<string> {
    const ofProcess = (await processMetrics().metrics()).trimEnd().split('\n\n');
    const blocks = [...this.#metrics.flatMap(metricText), ...ofProcess];
    blocks.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    return `${blocks.join('\n')}\n`;
  }

  #number(type: MetricType, definition: Definition): NumberInstrument {
    const instrument = new NumberInstrument();
    this.#add(definition, type, () => instrument.samples({}));
    return instrument;
  }

  #numberFamily(
    type: MetricType,
    definition: Definition,
    labelNames: readonly string[],
  ): LabelledFamily<NumberInstrument> {
    const family = new LabelledFamily(labelNames, () => new NumberInstrument());
    this.#add(definition, type, () => family.samples());
    return family;
  }

  #add([name, help]: Definition, type: MetricType, samples: () => Sample[]): void {
    this.#metrics.push({ name, help, type, samples });
  }
}

/** Empty for a metric that has labels and no samples yet: it does not exist. */
function metricText({ name, help, type, samples }: Metric): string[] {
  const lines = samples().map(
    ({ suffix, labels, value }) => `${name}${suffix}${labelText(labels)} ${formatGoFloat(value)}`,
  );
  return lines.length === 0
    ? []
    : [`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}`];
}

/** Labels by name, as Go's library writes them, and the bound of a bucket last. */
function labelText(labels: Labels): string {
  const parts = Object.entries(labels)
    .sort(([a], [b]) => (a === 'le' ? 1 : b === 'le' ? -1 : a < b ? -1 : 1))
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return parts.length === 0 ? '' : `{${parts.join(',')}}`;
}

function escapeLabel(value: string): string {
  return /[\\"\n]/.test(value)
    ? value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
    : value;
}

/** `# HELP name ...` */
function nameOf(block: string): string {
  return block.split(' ', 3)[2] ?? '';
}
