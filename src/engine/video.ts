import { AppError } from '../base/errors';
import { throwIfCancelled, type Task } from '../base/progress';
import { luminanceOf } from '../input/frames/luminance';
import type { VideoFrameLuminance } from './session';

/**
 * Every frame of a video in presentation order with its own time, decoded by WebCodecs behind mediabunny's demuxers.
 * The library is fetched when the first video is opened.
 * @throws AppError `input/unreadable`, `input/unsupported`, `cancelled`
 */
export async function* decodeVideo(video: Blob, longSide: number, task: Task): AsyncGenerator<VideoFrameLuminance> {
  const { ALL_FORMATS, BlobSource, CanvasSink, Input } = await import('mediabunny');
  const input = new Input({ source: new BlobSource(video), formats: ALL_FORMATS });
  try {
    const track = await orUnreadable(() => input.getPrimaryVideoTrack());
    if (!track) throw new AppError('input/unsupported', 'The file holds no video.', 'Choose an MP4, WebM, MOV or MKV file with a picture.');
    if (!(await orUnreadable(() => track.canDecode()))) {
      throw new AppError(
        'input/unsupported',
        `This browser cannot decode the video (${track.codec ?? 'unknown codec'}).`,
        'Convert it to WebM (VP9) or MP4 (H.264), or open the page in another browser.',
      );
    }
    const { displayWidth, displayHeight } = track;
    const scale = Math.min(1, longSide / Math.max(displayWidth, displayHeight));
    const width = Math.max(1, Math.round(displayWidth * scale));
    const height = Math.max(1, Math.round(displayHeight * scale));
    const durationS = await orUnreadable(() => track.computeDuration());
    const frames = new CanvasSink(track, { width, height, fit: 'fill', poolSize: 1 }).canvases();
    for (;;) {
      throwIfCancelled(task.signal);
      const { value: frame, done } = await orUnreadable(() => frames.next());
      if (done) return;
      const context = frame.canvas.getContext('2d') as OffscreenCanvasRenderingContext2D | null;
      if (!context) throw new AppError('backend/out-of-memory', 'There is no memory left for the video’s frames.', 'Close other tabs.');
      yield {
        luminance: luminanceOf(context.getImageData(0, 0, width, height).data),
        width,
        height,
        timeUs: Math.round(frame.timestamp * 1e6),
        share: durationS > 0 ? Math.min(frame.timestamp / durationS, 1) : 0,
      };
    }
  } finally {
    input.dispose();
  }
}

async function orUnreadable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw new AppError('input/unreadable', 'The video cannot be read.', 'Choose an MP4, WebM, MOV or MKV file that a player can play.', cause);
  }
}
