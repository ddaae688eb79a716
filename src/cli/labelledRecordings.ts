import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../base/errors';
import { quietTask, type Task } from '../base/progress';
import type { ObjectRecording } from '../input/events/compose';
import { openRecording } from '../input/events/open';
import type { Recording } from '../input/events/recording';
import { openFile } from './surroundings';

export async function openPath(path: string, task: Task): Promise<Recording> {
  return openRecording({ name: basename(path), blob: await openFile(path) }, {}, task);
}

/** A CSV with the columns file and class, with or without a line that names them. */
export async function labelledRecordings(folder: string, labels: string, task: Task): Promise<{ recordings: ObjectRecording[]; classes: string[] }> {
  const lines = (await readText(labels)).split(/\r?\n/).filter((line) => line.trim() !== '');
  const present = new Set(await readdir(folder).catch(() => []));
  const rows = lines.map((line) => line.split(',').map((cell) => cell.trim())).filter(([file = '']) => present.has(file));
  const classes = classNames(rows.map(([, label = '']) => label));
  const recordings: ObjectRecording[] = [];
  for (const [file = '', label = ''] of rows) {
    const recording = await openPath(join(folder, file), quietTask);
    const events = await recording.read(-Infinity, Infinity, task);
    recordings.push({ events, sensor: recording.sensor, class: classes.indexOf(label), name: label });
    task.report({ label: 'Reading recordings', done: recordings.length, total: rows.length, unit: 'items' });
  }
  return { recordings, classes };
}

/** Numbers in order of size, so that the digit 3 is class 3; names by alphabet. */
function classNames(labels: readonly string[]): string[] {
  return [...new Set(labels)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : 1));
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new AppError('input/unreadable', `The file ${path} cannot be read.`, 'Check the name and that you may read it.', cause);
  }
}
