import { AppError } from '../base/errors';
import type { Picture } from '../base/picture';
import type { Task } from '../base/progress';

/** What a worker of the page reads: the site's files, and pictures. */

/** Larger pictures are refused: their pixels alone would take 400 MB. */
const maximumPixels = 100_000_000;

// Addresses are relative to the page's root, wherever a static host puts it.
const siteAddress = new URL(import.meta.env.BASE_URL, self.location.origin);

/** A file of the models folder. @throws AppError `fetch/*` */
export function readModelFile(path: string, task: Task, version?: string): Promise<Blob> {
  return readSiteFile(`models/${path}`, 'The model', task, version);
}

/** @param what it is, at the beginning of a sentence: "The model". @throws AppError `fetch/*` */
export async function readSiteFile(path: string, what: string, task: Task, version?: string): Promise<Blob> {
  const address = new URL(path, siteAddress);
  if (version !== undefined) address.search = version;
  let response: Response;
  try {
    response = await fetch(address, { signal: task.signal });
  } catch (cause) {
    task.signal.throwIfAborted();
    throw new AppError(
      'fetch/offline',
      `${what} could not be fetched, because the page’s own server did not answer.`,
      'Check the connection, then try again.',
      cause,
    );
  }
  if (!response.ok || !response.body) {
    throw new AppError(
      'fetch/failed',
      `${what} could not be fetched: the server answered ${response.status} for ${path}.`,
      'Reload the page; if that does not help, the site is incomplete.',
    );
  }
  return collect(response.body, Number(response.headers.get('content-length')) || undefined, task);
}

async function collect(body: ReadableStream<Uint8Array<ArrayBuffer>>, total: number | undefined, task: Task): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  const reader = body.getReader();
  for (;;) {
    const { value, done: finished } = await reader.read();
    if (finished) return new Blob(chunks);
    chunks.push(value);
    done += value.byteLength;
    task.report({ label: 'Downloading the model', done, total, unit: 'bytes' });
  }
}

/** Turned as its EXIF says, on white where it is transparent. */
export async function decodePicture(image: Blob): Promise<Picture> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(image, { colorSpaceConversion: 'none' });
  } catch (cause) {
    throw new AppError(
      'input/unreadable',
      'The file is not a picture that this browser can read.',
      'Choose a PNG, JPEG, WebP, AVIF or GIF picture.',
      cause,
    );
  }
  try {
    const { width, height } = bitmap;
    if (width * height > maximumPixels) {
      throw new AppError(
        'input/too-large',
        `The picture has ${Math.round((width * height) / 1e6)} megapixels, and at most ${maximumPixels / 1e6} fit.`,
        'Shrink it first; the network looks at a small version anyway.',
      );
    }
    const context = canvasContext(width, height);
    context.fillStyle = 'white';
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, 0, 0);
    const { data: rgba } = context.getImageData(0, 0, width, height);
    const data = new Uint8Array(width * height * 3);
    for (let source = 0, target = 0; source < rgba.length; source += 4) {
      data[target++] = rgba[source] ?? 0;
      data[target++] = rgba[source + 1] ?? 0;
      data[target++] = rgba[source + 2] ?? 0;
    }
    return { width, height, data };
  } finally {
    bitmap.close();
  }
}

export function encodePicture({ width, height, data }: Picture): Promise<Blob> {
  const context = canvasContext(width, height);
  const pixels = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    pixels.data.set(data.subarray(pixel * 3, pixel * 3 + 3), pixel * 4);
    pixels.data[pixel * 4 + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return context.canvas.convertToBlob({ type: 'image/png' });
}

function canvasContext(width: number, height: number): OffscreenCanvasRenderingContext2D {
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context) return context;
  throw new AppError(
    'backend/out-of-memory',
    'There is no memory left to hold the picture.',
    'Close other tabs or choose a smaller picture.',
  );
}
