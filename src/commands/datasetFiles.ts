import { AppError, asAppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import type { RequestPayload } from '../state/store';

/** Data sets as a person hands them over: a folder or a zip, dropped or chosen. */
export interface GivenDataset {
  title: string;
  content: RequestPayload<'openDataset'>['content'];
}

/** Lets a person choose a folder; undefined if they do not. */
export function chooseFolder(): Promise<GivenDataset | undefined> {
  return choose({ ofFolders: true }, (files) => {
    const [first] = files;
    if (!first) return undefined;
    const title = first.webkitRelativePath.split('/')[0] ?? 'folder';
    return { title, content: { kind: 'files', files: files.map((file) => ({ path: file.webkitRelativePath, blob: file })) } };
  });
}

/** Lets a person choose a zip; undefined if they do not. */
export function chooseZip(): Promise<GivenDataset | undefined> {
  return choose({ accept: '.zip,application/zip' }, ([file]) => file && zipOf(file));
}

function choose({ ofFolders = false, accept = '' }: { ofFolders?: boolean; accept?: string }, read: (files: File[]) => GivenDataset | undefined): Promise<GivenDataset | undefined> {
  return new Promise((resolve) => {
    const input = document.createElement('input');
    input.type = 'file';
    input.webkitdirectory = ofFolders;
    input.accept = accept;
    input.addEventListener('change', () => resolve(read([...(input.files ?? [])])));
    input.addEventListener('cancel', () => resolve(undefined));
    input.click();
  });
}

function zipOf(file: File): GivenDataset {
  return { title: file.name, content: { kind: 'zip', name: file.name, blob: file } };
}

/**
 * What was dropped, as a data set; undefined where it is none. Asked for while the drop is handled: afterwards a browser
 * does not tell any more. The files are listed when the result is called.
 * @param alsoFiles whether a zip, or several files that are no checkpoints, are one too
 */
export function droppedDataset(transfer: DataTransfer, alsoFiles: boolean): ((task: Task) => Promise<GivenDataset>) | undefined {
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const files = [...transfer.files];
  const [first] = files;
  if (entries.some((entry) => entry.isDirectory)) return (task) => listEntries(entries, task);
  if (!alsoFiles || !first || files.some(({ name }) => /\.(pt|pth|safetensors)$/i.test(name))) return undefined;
  if (files.length === 1) return /\.zip$/i.test(first.name) ? () => Promise.resolve(zipOf(first)) : undefined;
  return () => Promise.resolve({ title: `${files.length} files`, content: { kind: 'files', files: files.map((file) => ({ path: file.name, blob: file })) } });
}

async function listEntries(entries: readonly FileSystemEntry[], task: Task): Promise<GivenDataset> {
  const files: { path: string; blob: Blob }[] = [];
  for (const entry of entries) await addEntry(entry, files, task);
  const title = entries.length === 1 ? (entries[0]?.name ?? '') : `${entries.length} folders and files`;
  return { title, content: { kind: 'files', files } };
}

/** Some browsers hand out a folder's entries in portions. */
async function addEntry(entry: FileSystemEntry, files: { path: string; blob: Blob }[], task: Task): Promise<void> {
  throwIfCancelled(task.signal);
  if (isFile(entry)) {
    files.push({ path: entry.fullPath.replace(/^\//, ''), blob: await read<File>((resolve, reject) => entry.file(resolve, reject)) });
    if (files.length % 100 === 0) task.report({ label: 'Listing files', done: files.length, total: undefined, unit: 'items' });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const portion = await read<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return;
    for (const each of portion) await addEntry(each, files, task);
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

async function read<T>(start: (resolve: (value: T) => void, reject: (cause: unknown) => void) => void): Promise<T> {
  try {
    return await new Promise<T>(start);
  } catch (cause) {
    throw new AppError('input/unreadable', `The folder cannot be read: ${asAppError(cause).message}`, 'Choose it with the button, or drop a zip of it.', cause);
  }
}
