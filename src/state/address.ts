import { representations } from '../base/eventOptions';
import { maximumMuted, mutedSchema, type Muted } from '../base/muted';
import { resetModes } from '../base/neuron';
import { z } from '../base/schema';
import { hideablePanels, pageNames } from './names';

/**
 * What a link and a settings file hold: everything that leads to the same view again, apart from a person's own files. One schema for
 * each field; a link writes the fields as `key=text`, a settings file as JSON.
 */

const side = z.number().min(-1e5).max(1e5);
const index = (limit: number) => z.int().min(0).max(limit);
const clock = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER);

const fields = {
  page: z.enum(pageNames),
  /** A shipped model. */
  model: z.string().regex(/^[a-z0-9-]{1,64}$/),
  /** A picture or a recording of the gallery, or one that the program draws again from its seed. */
  sample: z.string().regex(/^[a-z]+(-[a-z0-9]+){1,3}$/).max(64),
  steps: z.int().min(1).max(16),
  decay: z.number().min(0).max(1),
  threshold: z.number().min(-100).max(100),
  reset: z.enum(resetModes),
  /** What is silenced in the SNN. */
  muted: z.array(mutedSchema).max(maximumMuted),
  inputSize: z.union([z.int().min(32).max(2048).multipleOf(32), z.literal('native')]),
  confidence: z.number().min(0).max(1),
  iou: z.number().min(0).max(1),
  layer: index(10_000),
  neuron: z.object({ x: index(4096), y: index(4096), channel: index(65_535) }),
  /** 0-based; in a link it counts from 1, as on the page. */
  step: index(15),
  /** The box that is explained: of which network (or of the labels), its class, and its corners on the picture. */
  box: z.object({ of: z.enum(['snn', 'ann', 'converted', 'truth']), class: index(10_000), box: z.tuple([side, side, side, side]).readonly() }),
  /** A recording's window: from when, how long, and how it becomes the network's input. */
  fromUs: clock,
  windowUs: z.number().min(1).max(1e12),
  representation: z.enum(representations),
  fit: z.enum(['stretch', 'letterbox']),
  withoutHotPixels: z.boolean(),
  carryMembranes: z.boolean(),
  hidden: z.array(z.enum(hideablePanels)).max(hideablePanels.length),
} as const;

export const sharedSchema = z.object(fields).partial();
export type SharedState = z.infer<typeof sharedSchema>;
type Field = keyof typeof fields;
export type ChosenBox = z.infer<(typeof fields)['box']>;

/** How a field stands in a link. `read` gives back anything; the field's schema decides. */
interface Text<F extends Field> {
  key: string;
  write: (value: NonNullable<SharedState[F]>) => string;
  read: (text: string) => unknown;
}

const number = (text: string): number => (/^-?(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : NaN);
/** Six digits are more than any control has. */
const short = (value: number): string => String(Number(value.toPrecision(6)));
const exact = (value: number): string => String(Math.round(value));
const plain = { write: (value: string) => value, read: (text: string): unknown => text };
const numeric = { write: short, read: number };
const flag = { write: (value: boolean) => (value ? '1' : '0'), read: (text: string): unknown => (text === '1' ? true : text === '0' ? false : text) };

const texts: { [F in Field]: Text<F> } = {
  page: { key: 'page', ...plain },
  model: { key: 'model', ...plain },
  sample: { key: 'sample', ...plain },
  steps: { key: 'T', ...numeric },
  decay: { key: 'decay', ...numeric },
  threshold: { key: 'threshold', ...numeric },
  reset: { key: 'reset', ...plain },
  muted: { key: 'mute', write: (muted) => muted.map(mutedText).join(), read: (text) => (text === '' ? [] : text.split(',').map(mutedOf)) },
  inputSize: { key: 'input', write: String, read: (text) => (text === 'native' ? text : number(text)) },
  confidence: { key: 'confidence', ...numeric },
  iou: { key: 'iou', ...numeric },
  layer: { key: 'layer', ...numeric },
  neuron: {
    key: 'neuron',
    write: ({ x, y, channel }) => [x, y, channel].join(),
    read: (text) => {
      const [x, y, channel, ...more] = text.split(',').map(number);
      return more.length === 0 ? { x, y, channel } : undefined;
    },
  },
  step: { key: 'step', write: (step) => String(step + 1), read: (text) => number(text) - 1 },
  box: {
    key: 'box',
    write: ({ of, class: label, box }) => [of, label, ...box.map((corner) => corner.toFixed(1))].join(),
    read: (text) => {
      const [of, label = '', ...corners] = text.split(',');
      return { of, class: number(label), box: corners.map(number) };
    },
  },
  fromUs: { key: 'from', write: exact, read: number },
  windowUs: { key: 'window', write: exact, read: number },
  representation: { key: 'as', ...plain },
  fit: { key: 'fit', ...plain },
  withoutHotPixels: { key: 'nohot', ...flag },
  carryMembranes: { key: 'carry', ...flag },
  hidden: { key: 'hide', write: (names) => names.join(), read: (text) => (text === '' ? [] : text.split(',')) },
};

/** `b2` is block 2, `c5.3` channel 3 of layer 5, `n5.10.12.3` its neuron there at x 10, y 12. */
function mutedText(muted: Muted): string {
  if (muted.kind === 'block') return `b${muted.row}`;
  if (muted.kind === 'channel') return `c${muted.layer}.${muted.channel}`;
  return `n${muted.layer}.${muted.x}.${muted.y}.${muted.channel}`;
}

function mutedOf(text: string): unknown {
  const [first = NaN, ...rest] = text.slice(1).split('.').map(number);
  if (text.startsWith('b') && rest.length === 0) return { kind: 'block', row: first };
  if (text.startsWith('c') && rest.length === 1) return { kind: 'channel', layer: first, channel: rest[0] };
  if (text.startsWith('n') && rest.length === 3) return { kind: 'neuron', layer: first, x: rest[0], y: rest[1], channel: rest[2] };
  return undefined;
}

const order = Object.keys(texts) as Field[];

/** `page=detect&model=bccd&...`, without the `#`. */
export function formatAddress(shared: SharedState): string {
  const write = <F extends Field>(field: F): string[] => {
    const value = shared[field];
    // Commas may stand in a fragment as they are, and read better.
    return value === undefined ? [] : [`${texts[field].key}=${encodeURIComponent(texts[field].write(value)).replaceAll('%2C', ',')}`];
  };
  return order.flatMap(write).join('&');
}

export interface ParsedAddress {
  shared: SharedState;
  /** What could not be understood, as it stands in the link. */
  ignored: string[];
}

/** Longer parts are cut where they are quoted. */
const quotedLetters = 40;

/** Reads a fragment with or without its `#`; what is not valid is left out and named. Never throws. */
export function parseAddress(fragment: string): ParsedAddress {
  const shared: Record<string, unknown> = {};
  const ignored: string[] = [];
  for (const [key, text] of new URLSearchParams(fragment.replace(/^#/, ''))) {
    const field = order.find((candidate) => texts[candidate].key === key);
    const parsed = field && fields[field].safeParse(texts[field].read(text));
    if (field && parsed?.success) shared[field] = parsed.data;
    else ignored.push(`${key}=${text}`.slice(0, quotedLetters));
  }
  return { shared: sharedSchema.parse(shared), ignored };
}

const settingsFormat = 'ems-yolo-playground settings';

const settingsSchema = z.object({ format: z.literal(settingsFormat), version: z.literal(1), settings: sharedSchema });

export function formatSettings(shared: SharedState): string {
  return `${JSON.stringify({ format: settingsFormat, version: 1, settings: shared }, null, 2)}\n`;
}

/** The settings in a file's text; undefined where it is anything else, or any part of it is out of range. */
export function parseSettings(text: string): SharedState | undefined {
  try {
    const parsed = settingsSchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.settings : undefined;
  } catch {
    return undefined;
  }
}
