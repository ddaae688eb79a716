import { AppError } from '../base/errors';
import type { SimulatorSettings } from '../base/eventOptions';
import type { Size } from '../base/geometry';
import type { Task } from '../base/progress';
import { EventColumns, type Events } from '../input/events/events';
import { openRecording } from '../input/events/open';
import { MemorySource } from '../input/events/memorySource';
import { Recording } from '../input/events/recording';
import { saccades, simulateScene } from '../input/events/scenes';
import { EventSimulator } from '../input/events/simulator';
import type { TruthBox } from '../base/truth';
import { luminanceOf } from '../input/frames/luminance';
import { lastPolarity, timeSurface, windowStatistics, withoutHotPixels } from '../input/events/window';
import { openWriter } from '../input/events/write';
import type { RecordingRef, RecordingState, RecordingView, RequestPayload } from './protocol';

interface OpenRecording {
  recording: Recording;
  truth: readonly TruthBox[];
}

/** More events than this are not kept of a live source: some minutes of a busy webcam, 260 MB. */
const maximumLiveEvents = 20_000_000;

interface Live {
  simulator: EventSimulator;
  sensor: Size;
  pixels: number;
  events: EventColumns;
  startUs: number | undefined;
  endUs: number;
}

/** The recordings of a session: the one in use stays open, and the simulated camera's events grow here. */
export class Recordings {
  private open: { id: string; opened: OpenRecording } | undefined;
  private live: Live | undefined;

  async scan({ recording: ref, budgetMs }: RequestPayload<'scanRecording'>, task: Task): Promise<RecordingState> {
    const { recording, truth } = await this.opened(ref, task);
    const progress = await recording.scan(task, budgetMs);
    const { format, summary, table } = recording;
    return { ...progress, format, summary, table, truth };
  }

  async view(request: RequestPayload<'viewRecording'>, task: Task): Promise<RecordingView> {
    const { sensor, events, hotPixels } = await this.window(request.recording, request, task);
    const pixels =
      request.view === 'polarity'
        ? { kind: 'polarity' as const, last: lastPolarity(events, sensor) }
        : { kind: 'surface' as const, value: timeSurface(events, sensor, request.toUs, Math.max((request.toUs - request.fromUs) / 3, 1)) };
    return { sensor, pixels, statistics: windowStatistics(events, sensor), hotPixels };
  }

  /** The events of a window in order of time, and the sensor that they lie on. */
  async window(
    ref: RecordingRef,
    wanted: { fromUs: number; toUs: number; withoutHotPixels: boolean },
    task: Task,
  ): Promise<{ sensor: Size; events: Events; hotPixels: number }> {
    const { recording } = await this.opened(ref, task);
    // The largest coordinates stand for a size that the file does not say; they are known only at its end.
    if (!recording.sensorIsKnown) await recording.scan(task);
    const all = await recording.read(wanted.fromUs, wanted.toUs, task);
    const { sensor } = recording;
    if (sensor.width === 0 || sensor.height === 0) {
      throw new AppError('input/unreadable', 'The recording holds no event.', 'Choose another recording.');
    }
    const { events, hotPixels } = wanted.withoutHotPixels ? withoutHotPixels(all, sensor) : { events: all, hotPixels: 0 };
    return { sensor, events, hotPixels };
  }

  async save({ recording: ref, format }: RequestPayload<'saveRecording'>, task: Task): Promise<Blob> {
    const { recording } = await this.opened(ref, task);
    return saveRecording(recording, format, task);
  }

  startSimulator({ width, height, settings, seed }: { width: number; height: number; settings: SimulatorSettings; seed: number }): undefined {
    this.live = {
      simulator: new EventSimulator({ width, height }, settings, seed),
      sensor: { width, height },
      pixels: width * height,
      events: new EventColumns(1 << 16),
      startUs: undefined,
      endUs: 0,
    };
    return undefined;
  }

  /** @param luminance `[height, width]`, 0 to 255 */
  addFrame(luminance: Uint8Array, timeUs: number): { events: number; durationUs: number } {
    const { live } = this;
    if (!live) throw noLive();
    if (luminance.length !== live.pixels) {
      throw new AppError('internal', 'A frame has another size than the simulated camera.', 'Start the camera again.');
    }
    if (live.events.count > maximumLiveEvents) {
      throw new AppError(
        'input/too-large',
        `The simulated camera has made ${maximumLiveEvents / 1e6} million events, and more are not kept.`,
        'Save the recording, then start the camera again.',
      );
    }
    live.startUs ??= timeUs;
    live.endUs = timeUs;
    live.simulator.frame(luminance, timeUs, live.events);
    // The recording that was opened of it ends before these events.
    if (this.open?.id.startsWith(livePrefix)) this.open = undefined;
    return { events: live.events.count, durationUs: live.endUs - live.startUs };
  }

  simulateFrame({ rgba, timeUs }: RequestPayload<'simulateFrame'>): { events: number; durationUs: number } {
    return this.addFrame(luminanceOf(rgba), timeUs);
  }

  simulateSketch({ luminance, width, height, settings, seed }: RequestPayload<'simulateSketch'>): { events: number; durationUs: number } {
    this.startSimulator({ width, height, settings, seed });
    let made = { events: 0, durationUs: 0 };
    for (const { frame, timeUs } of saccades(luminance, { width, height })) made = this.addFrame(frame, timeUs);
    return made;
  }

  private async opened(ref: RecordingRef, task: Task): Promise<OpenRecording> {
    const id = ref.kind === 'live' ? livePrefix + ref.id : ref.id;
    if (this.open?.id === id) return this.open.opened;
    const opened = await this.openNow(ref, task);
    this.open?.opened.recording.close();
    this.open = { id, opened };
    return opened;
  }

  private async openNow(ref: RecordingRef, task: Task): Promise<OpenRecording> {
    switch (ref.kind) {
      case 'file':
        return { recording: await openRecording(ref, ref.table ? { table: ref.table } : {}, task), truth: [] };
      case 'scene': {
        const { events, sensor, boxes } = simulateScene(ref.scene, ref.seed);
        return { recording: inMemory(events, sensor, 'Simulated scene'), truth: boxes };
      }
      case 'live':
        if (!this.live) throw noLive();
        return { recording: inMemory(this.live.events, this.live.sensor, 'Simulated camera'), truth: [] };
    }
  }
}

const livePrefix = 'live:';

function inMemory(events: Events, sensor: Size, format: string): Recording {
  return new Recording({ format, sensor, source: new MemorySource(events) });
}

function noLive(): AppError {
  return new AppError('input/unreadable', 'The simulated camera’s events are gone, because the engine was started again.', 'Start the camera again.');
}

/** A whole recording in another format, piece by piece. */
export async function saveRecording(recording: Recording, format: RequestPayload<'saveRecording'>['format'], task: Task): Promise<Blob> {
  await recording.scan(task);
  const { sensor, events } = recording.summary;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const writer = openWriter(format, sensor, events, (bytes) => {
    parts.push(new Uint8Array(bytes));
  });
  await recording.visit(-Infinity, Infinity, task, (piece, from, to) => writer.write(piece, from, to));
  await writer.end();
  return new Blob(parts);
}
