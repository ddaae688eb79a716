import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { AppError } from './errors';

/**
 * What the site keeps on this machine, in the browser's storage (IndexedDB): files by path, as in folders. Page and workers share
 * it; nothing in it ever leaves the machine.
 */

/** Text is kept as text: a browser gives every blob a file of its own. */
export type KeptContent = Blob | string;

interface Schema extends DBSchema {
  files: { key: string; value: KeptContent };
}

let opened: Promise<IDBPDatabase<Schema>> | undefined;

function database(): Promise<IDBPDatabase<Schema>> {
  opened ??= openDB<Schema>('ems-yolo', 1, {
    upgrade: (fresh) => {
      fresh.createObjectStore('files');
    },
    // Another tab wants a newer version, or the browser closed it: the next use opens it again.
    blocking: (_, __, event) => {
      opened = undefined;
      (event.target as IDBDatabase).close();
    },
    terminated: () => {
      opened = undefined;
    },
  }).catch((thrown: unknown) => {
    opened = undefined;
    throw thrown;
  });
  return opened;
}

/** @throws AppError `storage/unavailable` */
export function readKept(path: string): Promise<KeptContent | undefined> {
  return guarded(async () => (await database()).get('files', path));
}

/**
 * Writes all of the files, or none of them.
 * @param forgotten folders (`runs/`) whose other files go at the same moment
 * @throws AppError `storage/full`, `storage/unavailable`
 */
export function keep(files: Readonly<Record<string, KeptContent>>, forgotten: readonly string[] = []): Promise<void> {
  return guarded(async () => {
    const transaction = (await database()).transaction('files', 'readwrite');
    const writes = [
      ...forgotten.map((folder) => transaction.store.delete(inFolder(folder))),
      ...Object.entries(files).map(([path, content]) => transaction.store.put(content, path)),
    ];
    await Promise.all([...writes, transaction.done]);
  });
}

/** Files below a folder (`models/`), in the order of their paths. @throws AppError `storage/unavailable` */
export function listKept(folder: string): Promise<{ path: string; content: KeptContent }[]> {
  return guarded(async () => {
    const transaction = (await database()).transaction('files');
    const [paths, contents] = await Promise.all([transaction.store.getAllKeys(inFolder(folder)), transaction.store.getAll(inFolder(folder))]);
    return paths.flatMap((path, index) => {
      const content = contents[index];
      return content === undefined ? [] : [{ path, content }];
    });
  });
}

/** @throws AppError `storage/unavailable` */
export function forget(folder: string): Promise<void> {
  return keep({}, [folder]);
}

export function bytesOf(content: KeptContent): number {
  return typeof content === 'string' ? content.length : content.size;
}

/** Every path that begins with the folder's. */
function inFolder(folder: string): IDBKeyRange {
  return IDBKeyRange.bound(folder, `${folder}\uffff`);
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'QuotaExceededError') {
      throw new AppError('storage/full', 'This browser has no room left to keep that for this site.', 'Delete models that you no longer need, or free space on the disk.', cause);
    }
    throw new AppError(
      'storage/unavailable',
      'This browser does not let the site keep files on this machine.',
      'Leave private browsing, or allow the site to store data.',
      cause,
    );
  }
}
