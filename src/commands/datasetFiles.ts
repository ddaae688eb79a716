import type { DatasetContent } from '../state/store';

/** Data sets as a browser hands them over: a folder or a zip, dropped or chosen. */

export interface OpenedFolder {
  title: string;
  content: DatasetContent;
}

/** What was dropped; undefined where it is neither a folder, nor a zip, nor several files. */
export async function datasetOfDrop(transfer: DataTransfer): Promise<OpenedFolder | undefined> {
  // Entries must be asked for before anything is waited for: afterwards the browser has forgotten them.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry?.() ?? []);
  const files = [...transfer.files];
  const [only] = entries;
  if (entries.some((entry) => entry.isDirectory)) {
    const found = (await Promise.all(entries.map((entry) => filesBelow(entry)))).flat();
    return { title: entries.length === 1 && only ? only.name : 'dropped folders', content: { kind: 'files', files: found } };
  }
  return datasetOfFiles(files);
}

/** A zip, the files of a chosen folder, or several files. */
export function datasetOfFiles(files: readonly File[]): OpenedFolder | undefined {
  const [first] = files;
  if (!first) return undefined;
  if (files.length === 1 && /\.zip$/i.test(first.name)) return { title: first.name, content: { kind: 'zip', name: first.name, blob: first } };
  const [folder = ''] = first.webkitRelativePath.split('/');
  return {
    title: folder === '' ? `${files.length} files` : folder,
    content: { kind: 'files', files: files.map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })) },
  };
}

async function filesBelow(entry: FileSystemEntry): Promise<{ path: string; blob: Blob }[]> {
  if (isFile(entry)) {
    const blob = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), blob }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const found: { path: string; blob: Blob }[] = [];
  for (;;) {
    // A browser gives a folder's entries in portions; an empty one is the last.
    const portion = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return found;
    for (const child of portion) found.push(...(await filesBelow(child)));
  }
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
