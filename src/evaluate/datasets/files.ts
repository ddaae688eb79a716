import { AppError } from '../../base/errors';

/** A file of a data set, wherever it lies: in a folder, in a zip, dropped on a page. */
export interface DatasetFile {
  /** From the data set's folder, with `/` between names. */
  path: string;
  /** Its content, read when it is asked for. @throws AppError */
  open(): Promise<Blob>;
}

/** More files than this are no data set that anybody evaluates in a page, and would take all memory. */
const maximumFiles = 1_000_000;
/** What is larger is not unpacked from a zip: it would be held in memory as a whole. */
const maximumUnpackedBytes = 512 << 20;

/**
 * What a zip holds; an entry is unpacked when it is opened.
 * @throws AppError `dataset/unreadable`
 */
export async function filesOfZip(name: string, zip: Blob): Promise<DatasetFile[]> {
  const { BlobReader, ZipReader, configure } = await import('@zip.js/zip.js');
  configure({ useWebWorkers: false });
  const files: DatasetFile[] = [];
  try {
    for await (const entry of new ZipReader(new BlobReader(zip)).getEntriesGenerator()) {
      if (entry.directory) continue;
      if (files.length === maximumFiles) throw new RangeError('it holds more than a million files');
      const { filename, uncompressedSize } = entry;
      files.push({
        path: filename,
        open: async () => {
          if (entry.encrypted) throw unreadable(filename, 'it is encrypted', 'Pack the data set again without a password.');
          if (uncompressedSize > maximumUnpackedBytes) throw unreadable(filename, 'it is too large to be unpacked in memory', 'Unpack the zip, and choose its folder.');
          const chunks: Uint8Array<ArrayBuffer>[] = [];
          // What the archive claims of its sizes is not trusted: what comes out is counted.
          let size = 0;
          const sink = new WritableStream<Uint8Array<ArrayBuffer>>({
            write: (chunk) => {
              size += chunk.length;
              if (size > uncompressedSize) throw new RangeError('more than the archive says');
              chunks.push(chunk);
            },
          });
          try {
            await entry.getData(sink, { checkSignature: true });
          } catch (cause) {
            throw unreadable(filename, 'it is damaged', 'Pack or download the data set again.', cause);
          }
          return new Blob(chunks);
        },
      });
    }
  } catch (cause) {
    throw unreadable(name, cause instanceof RangeError ? cause.message : 'it is no zip, or damaged', 'Pack or download the data set again.', cause);
  }
  return files;
}

function unreadable(name: string, why: string, remedy: string, cause?: unknown): AppError {
  return new AppError('dataset/unreadable', `${name} cannot be read: ${why}.`, remedy, cause);
}

const pictureEnding = /\.(jpe?g|png|webp|bmp|gif|avif|tiff?)$/i;
/** Folders that hold pictures in one branch of a data set and their labels in another. */
const branchNames = new Set(['images', 'image', 'jpegimages', 'labels', 'label', 'annotations', 'annotation', 'xml', 'xmls']);

/** The files of a data set by what readers look for. */
export class FileTree {
  /** In order of their paths, without what systems leave behind. */
  readonly files: readonly DatasetFile[];
  readonly pictures: readonly DatasetFile[];
  private readonly byPlace = new Map<string, DatasetFile[]>();
  private readonly byName = new Map<string, DatasetFile[]>();
  private readonly byStem = new Map<string, DatasetFile[]>();

  constructor(files: readonly DatasetFile[]) {
    this.files = files
      .map((file) => ({ path: file.path.replaceAll('\\', '/').replace(/^(\.?\/)+/, ''), open: () => file.open() }))
      .filter(({ path }) => !/(^|\/)(\.|__MACOSX\/)/.test(path))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    this.pictures = this.files.filter(({ path }) => pictureEnding.test(path));
    for (const picture of this.pictures) {
      addTo(this.byPlace, placeOf(picture.path), picture);
      addTo(this.byName, baseName(picture.path).toLowerCase(), picture);
      addTo(this.byStem, stemOf(picture.path), picture);
    }
  }

  endingWith(...endings: string[]): DatasetFile[] {
    return this.files.filter(({ path }) => endings.some((ending) => path.toLowerCase().endsWith(ending)));
  }

  /** The picture in the same place as a file of labels, but for `images` against `labels` and the like. */
  pictureBeside(labelPath: string): DatasetFile | undefined {
    return this.byPlace.get(placeOf(labelPath))?.[0];
  }

  /** The picture that a file of labels names: by the path's end, or by its name alone if only one has it. */
  pictureNamed(name: string, hint = ''): DatasetFile | undefined {
    const wanted = name.replaceAll('\\', '/').toLowerCase();
    const candidates = this.byName.get(baseName(wanted)) ?? [];
    const atPath = candidates.filter(({ path }) => `/${path.toLowerCase()}`.endsWith(`/${wanted}`));
    const fitting = atPath.length > 0 ? atPath : candidates;
    return fitting.length === 1 ? fitting[0] : (fitting.find(({ path }) => hint !== '' && path.toLowerCase().split('/').includes(hint)) ?? (atPath.length > 0 ? fitting[0] : undefined));
  }

  /** The only picture with the name of a file of labels, wherever it lies. */
  pictureWithStemOf(labelPath: string): DatasetFile | undefined {
    const found = this.byStem.get(stemOf(labelPath)) ?? [];
    return found.length === 1 ? found[0] : undefined;
  }
}

function addTo(map: Map<string, DatasetFile[]>, key: string, file: DatasetFile): void {
  const present = map.get(key);
  if (present) present.push(file);
  else map.set(key, [file]);
}

export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Without folders and ending, in small letters. */
export function stemOf(path: string): string {
  return baseName(path).replace(/\.[^.]*$/, '').toLowerCase();
}

/** Without the ending and without the folders that tell pictures from labels. */
function placeOf(path: string): string {
  const folders = path.toLowerCase().split('/').slice(0, -1).filter((folder) => !branchNames.has(folder));
  return [...folders, stemOf(path)].join('/');
}
