import { AppError } from '../base/errors';
import { defaultSimulatorSettings, type SceneKind, type SimulatorSettings } from '../base/eventOptions';
import { lightOnDark, paintSketch, type Sketch } from '../base/sketch';
import { engine } from '../state/engine';
import { usePlayground } from '../state/store';
import { readGalleryLabels } from './labels';
import { openRecording, showWindow } from './recordings';
import { tellError, underWay } from './work';

/** Events without an event camera: drawn scenes, a webcam, a video, a sketch, through the simulated camera. */

/** Longer sides are scaled down to this: the simulated sensor. */
const longSidePx = 240;
/** How often the page shows what a live camera has made. */
const showEveryMs = 200;

let nextLive = 1;

export function setCamera(change: Partial<SimulatorSettings>): void {
  usePlayground.setState(({ camera }) => ({ camera: { ...camera, settings: { ...camera.settings, ...change } } }));
}

export function resetCamera(): void {
  setCamera(defaultSimulatorSettings);
}

export const sceneTitles: Readonly<Record<SceneKind, string>> = { digits: 'Moving digits', road: 'Road with cars and pedestrians' };

const sceneOrigin = 'Simulated from a scene that this program draws.';

export interface GalleryRecording {
  title: string;
  sample: string;
  /** Address of the recording on this site; its boxes lie beside it. */
  file: string;
}

/** Stored by `npm run gallery`. */
export const galleryRecordings: readonly GalleryRecording[] = (
  [
    ['digits', 1],
    ['digits', 2],
    ['digits', 3],
    ['road', 1],
  ] as const
).map(([scene, seed]) => ({ title: `${sceneTitles[scene]} ${seed}`, sample: `${scene}-${seed}`, file: `${import.meta.env.BASE_URL}gallery/${scene}-${seed}.raw` }));

export async function openGalleryRecording({ title, sample, file }: GalleryRecording): Promise<void> {
  const fetched = await underWay('recording', `Opening ${title}`, async ({ signal }) => {
    const [recording, boxes] = await Promise.all([file, file.replace(/raw$/, 'json')].map((address) => fetch(address, { signal })));
    if (!recording?.ok || !boxes?.ok) {
      throw new AppError('fetch/failed', `${title} could not be fetched.`, 'Reload the page; if that does not help, the site is incomplete.');
    }
    return { blob: await recording.blob(), truth: readGalleryLabels(await boxes.json()) };
  });
  if (!fetched) return;
  await openRecording({ kind: 'file', id: file, name: file, blob: fetched.blob }, { title, origin: sceneOrigin, sample }, { truth: fetched.truth });
}

/** A scene that nobody has seen, filmed now. */
export async function filmAnother(scene: SceneKind): Promise<void> {
  await filmFromSeed(scene, 1000 + Math.floor(Math.random() * 1e6));
}

export async function filmFromSeed(scene: SceneKind, seed: number): Promise<void> {
  const about = { title: `${sceneTitles[scene]} ${seed}`, origin: sceneOrigin, sample: `film-${scene}-${seed}` };
  await openRecording({ kind: 'scene', id: `scene ${scene} ${seed}`, scene, seed }, about);
}

/** A whole video file through the simulated camera. */
export async function openVideo(file: File): Promise<void> {
  const { settings } = usePlayground.getState().camera;
  const made = await underWay('video', 'Turning the video into events', (task) =>
    engine.request('simulateVideo', { video: file, longSide: longSidePx, settings, seed: 1 }, task),
  );
  if (!made) return;
  await openRecording({ kind: 'live', id: `video ${nextLive++}` }, { title: file.name, origin: `Simulated from ${made.frames} frames of your video.`, sample: undefined });
}

/** The simulated sensor that a sketch is moved over. */
const sketchSensorPx = 128;

/** What a person drew, in light on dark, moved over the sensor as a digit of N-MNIST is. */
export async function moveSketch(sketch: Sketch): Promise<void> {
  const context = new OffscreenCanvas(sketchSensorPx, sketchSensorPx).getContext('2d');
  if (!context) return;
  paintSketch(context, sketch.strokes, sketchSensorPx, lightOnDark);
  const { data } = context.getImageData(0, 0, sketchSensorPx, sketchSensorPx);
  // White on black: red is the luminance.
  const luminance = Uint8Array.from({ length: sketchSensorPx ** 2 }, (_, pixel) => data[pixel * 4] ?? 0);
  const { settings } = usePlayground.getState().camera;
  const made = await underWay('video', 'Moving the sketch', (task) =>
    engine.request('simulateSketch', { luminance, width: sketchSensorPx, height: sketchSensorPx, settings, seed: 1 }, task),
  );
  if (made) await openRecording({ kind: 'live', id: `sketch ${nextLive++}` }, { title: 'Your sketch', origin: 'Simulated from what you drew.', sample: undefined });
}

let stopCamera: (() => void) | undefined;

export function toggleCamera(): void {
  if (stopCamera) stopCamera();
  else void runCamera();
}

/** The webcam through the simulated camera, shown while it runs; when it stops, what it made is an ordinary recording. */
async function runCamera(): Promise<void> {
  let stopped = false;
  let stream: MediaStream | undefined;
  stopCamera = () => {
    stopped = true;
  };
  usePlayground.setState(({ camera }) => ({ camera: { ...camera, running: true } }));
  try {
    stream = await openWebcam();
    const video = document.createElement('video');
    video.muted = true;
    video.srcObject = stream;
    await video.play();
    const scale = Math.min(1, longSidePx / Math.max(video.videoWidth, video.videoHeight));
    const width = Math.max(1, Math.round(video.videoWidth * scale));
    const height = Math.max(1, Math.round(video.videoHeight * scale));
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (!context) return;
    const { settings } = usePlayground.getState().camera;
    await engine.request('startSimulator', { width, height, settings, seed: 1 });
    const id = `webcam ${nextLive++}`;
    const started = performance.now();
    let shownAt = started;
    let opened = false;
    // Until a person stops it, or the engine keeps no more.
    for (;;) {
      await nextFrame(video);
      if (stopped || !stream.active) break;
      context.drawImage(video, 0, 0, width, height);
      const timeUs = Math.round((performance.now() - started) * 1000);
      const rgba = context.getImageData(0, 0, width, height).data;
      const { durationUs } = await engine.request('simulateFrame', { rgba, timeUs });
      if (performance.now() - shownAt < showEveryMs) continue;
      shownAt = performance.now();
      const ref = { kind: 'live' as const, id };
      if (!opened) {
        opened = true;
        await openRecording(ref, { title: 'Webcam', origin: 'Simulated from your webcam; nothing is uploaded.', sample: undefined });
      } else {
        const scanned = await engine.request('scanRecording', { recording: ref, budgetMs: 1000 });
        usePlayground.setState(({ recording }) => (recording?.ref.id === id ? { recording: { ...recording, scanned } } : {}));
        const { recording } = usePlayground.getState();
        // Another recording was opened meanwhile: the camera has served.
        if (recording?.ref.id !== id) break;
        await showWindow(Math.max(durationUs - recording.settings.windowUs, 0), 'wait');
      }
    }
  } catch (thrown) {
    tellError(thrown);
  } finally {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stopCamera = undefined;
    usePlayground.setState(({ camera }) => ({ camera: { ...camera, running: false } }));
  }
}

async function openWebcam(): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 }, frameRate: { ideal: 60 } }, audio: false });
  } catch (cause) {
    const refused = cause instanceof DOMException && cause.name === 'NotAllowedError';
    throw new AppError(
      'input/unsupported',
      refused ? 'The webcam was not allowed to this page.' : 'No webcam can be opened here.',
      refused ? 'Allow it beside the address and try again, or choose a video file.' : 'Connect one, or choose a video file or a drawn scene.',
      cause,
    );
  }
}

function nextFrame(video: HTMLVideoElement): Promise<void> {
  return new Promise((resolve) => {
    // A camera that ends sends no further frame.
    const timer = setTimeout(resolve, 500);
    video.requestVideoFrameCallback(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
