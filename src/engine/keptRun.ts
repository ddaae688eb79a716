import { AppError } from '../base/errors';
import type { KeptContent } from '../base/storage';
import { z } from '../base/schema';
import { parseTrainingConfig, type TrainingConfig } from '../train/config';
import type { RunStore } from '../train/run';
import type { RunShape, TrainingDataSource } from './trainingProtocol';

/** The storage that a run and its model are kept in; `base/storage.ts` in a page. */
export interface Storage {
  read(path: string): Promise<KeptContent | undefined>;
  /** All of the files or none, and the folders' other files go at the same moment. */
  keep(files: Readonly<Record<string, KeptContent>>, forgotten?: readonly string[]): Promise<void>;
  list(folder: string): Promise<{ path: string; content: KeptContent }[]>;
}

/** One run is kept at a time, with all that it takes to go on with it. */
export const runFolder = 'run/';
const aboutPath = `${runFolder}about.json`;
const statePath = `${runFolder}state.safetensors`;
const startPath = `${runFolder}start`;
const zipPath = `${runFolder}data.zip`;
const dataFolder = `${runFolder}data/`;
const logFolder = `${runFolder}log/`;

/** What a run is made of, besides its state. */
export interface RunRecipe {
  config: TrainingConfig;
  data: TrainingDataSource;
  /** Of the data: "Handwritten digits", a folder's or a zip's name. */
  title: string;
  /** The checkpoint that it trains on from. */
  start: Blob | undefined;
}

const shapeSchema: z.ZodType<RunShape> = z.object({
  steps: z.int().positive(),
  stepsPerEpoch: z.int().positive(),
  training: z.int().positive(),
  validation: z.int().positive(),
  classNames: z.array(z.string()),
  layers: z.array(z.string()),
  parameters: z.int().nonnegative(),
});
const aboutSchema = z.object({
  format: z.literal(1),
  config: z.unknown(),
  data: z.enum(['digits', 'files', 'zip']),
  title: z.string(),
  shape: shapeSchema,
});

/** Keeps a run that begins, in place of the one before. @throws AppError `storage/*` */
export async function keepRun(storage: Storage, { config, data, title, start }: RunRecipe, shape: RunShape, state: Blob): Promise<void> {
  const about: z.infer<typeof aboutSchema> = { format: 1, config, data: data.kind, title, shape };
  const files: Record<string, KeptContent> = { [aboutPath]: JSON.stringify(about), [statePath]: state };
  if (start) files[startPath] = start;
  if (data.kind === 'zip') files[zipPath] = data.blob;
  if (data.kind === 'files') for (const { path, blob } of data.files) files[dataFolder + path] = blob;
  await storage.keep(files, [runFolder]);
}

export interface OpenedRecipe extends RunRecipe {
  shape: RunShape;
}

/**
 * The run that is kept; undefined where there is none.
 * @throws AppError `train/unreadable-run`, `storage/unavailable`
 */
export async function readRun(storage: Storage): Promise<OpenedRecipe | undefined> {
  const about = await storage.read(aboutPath);
  if (about === undefined) return undefined;
  let parsed: z.infer<typeof aboutSchema>;
  let config: TrainingConfig;
  try {
    parsed = aboutSchema.parse(JSON.parse(String(about)));
    config = parseTrainingConfig(parsed.config);
  } catch (cause) {
    throw unreadable('what is kept of it is of another version of this page', cause);
  }
  const start = await storage.read(startPath);
  return { config, title: parsed.title, shape: parsed.shape, data: await readData(storage, parsed), start: start instanceof Blob ? start : undefined };
}

async function readData(storage: Storage, { data, title }: Pick<z.infer<typeof aboutSchema>, 'data' | 'title'>): Promise<TrainingDataSource> {
  if (data === 'digits') return { kind: 'digits' };
  if (data === 'zip') {
    const blob = await storage.read(zipPath);
    if (!(blob instanceof Blob)) throw unreadable('its data set is gone');
    return { kind: 'zip', name: title, blob };
  }
  const files = (await storage.list(dataFolder)).flatMap(({ path, content }) => (content instanceof Blob ? { path: path.slice(dataFolder.length), blob: content } : []));
  return { kind: 'files', files };
}

function unreadable(why: string, cause?: unknown): AppError {
  return new AppError('train/unreadable-run', `The run that is kept cannot be taken up: ${why}.`, 'Discard it and begin anew.', cause);
}

/**
 * The kept run's state and log. Lines of the log wait until the next state and are written with it, so that one never knows of
 * more steps than the other.
 */
export class KeptRunStore implements RunStore {
  private waiting = '';
  private parts = 0;

  constructor(private readonly storage: Storage) {}

  async readState(): Promise<Blob | undefined> {
    const state = await this.storage.read(statePath);
    return state instanceof Blob ? state : undefined;
  }

  async writeState(state: Blob): Promise<void> {
    const lines = this.waiting;
    await this.storage.keep({ [statePath]: state, ...(lines !== '' && { [logPath(this.parts++)]: lines }) });
    this.waiting = this.waiting.slice(lines.length);
  }

  async readLog(): Promise<string> {
    const parts = await this.storage.list(logFolder);
    return parts.map(({ content }) => String(content)).join('') + this.waiting;
  }

  async writeLog(lines: string): Promise<void> {
    this.waiting = '';
    this.parts = 1;
    await this.storage.keep({ [logPath(0)]: lines }, [logFolder]);
  }

  appendLog(line: string): Promise<void> {
    this.waiting += line;
    return Promise.resolve();
  }
}

/** Parts of the log in an order that paths sort in. */
function logPath(part: number): string {
  return `${logFolder}${String(part).padStart(8, '0')}`;
}
