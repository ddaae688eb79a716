import { AppError } from '../../base/errors';
import { drawDetections, drawPicture } from '../../charts/boxDrawing';
import { eventColours, signedPixels } from '../../charts/eventPixels';
import { readInk } from '../../charts/palette';
import { fitInto } from '../../charts/placement';
import type { Command } from '../../commands/registry';
import { saveFile } from '../../commands/saveFile';
import { tellError } from '../../commands/work';
import { usePlayground, type Slot, type Source } from '../../state/store';

/** Smaller pictures are enlarged by a whole factor, so that labels can be read. */
const longSidePx = 800;

const names: Record<Slot, string> = { snn: 'SNN', ann: 'ANN', converted: 'converted SNN' };

/** The picture with the boxes that its pane shows, as a PNG. */
export function pictureCommands(): readonly Command[] {
  const slots = usePlayground.getState().converted.isOn ? (['snn', 'ann', 'converted'] as const) : (['snn', 'ann'] as const);
  return slots.map((slot) => ({
    id: `export:picture-${slot}`,
    title: `Save the picture with the ${names[slot]}’s boxes (PNG)`,
    group: 'Export and share',
    run: () => void savePicture(slot),
  }));
}

async function savePicture(slot: Slot): Promise<void> {
  const { source, results, view } = usePlayground.getState();
  const pane = results[slot];
  if (!source || pane?.sourceId !== source.id) {
    tellError(new AppError('engine/no-model', `There is nothing to save yet: the ${names[slot]} has not run on this picture.`, 'Load such a network, or wait for it.'));
    return;
  }
  const lists = pane.result.detectionsPerStep;
  const detections = lists[Math.min(slot === 'snn' ? view.step : 0, lists.length - 1)] ?? [];
  const factor = Math.max(1, Math.ceil(longSidePx / Math.max(source.size.width, source.size.height)));
  const size = { width: source.size.width * factor, height: source.size.height * factor };
  const canvas = new OffscreenCanvas(size.width, size.height);
  const context = canvas.getContext('2d');
  if (!context) {
    tellError(new AppError('backend/out-of-memory', 'There is no memory left to draw the picture.', 'Close other tabs and try again.'));
    return;
  }
  const placement = fitInto(source.size, size);
  drawPicture(context, pixelsOf(source, view.shownTheme), source.size, placement, source.kind === 'events');
  drawDetections(context, detections, placement, { theme: view.shownTheme, pane: size, ink: readInk(document.body) });
  saveFile(await canvas.convertToBlob({ type: 'image/png' }), `${source.title.replace(/\.[a-z0-9]{1,5}$/i, '')}-${slot}.png`);
}

function pixelsOf(source: Source, theme: 'light' | 'dark'): ImageBitmap | OffscreenCanvas {
  if (source.kind === 'picture') return source.bitmap;
  const { width, height } = source.size;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(new ImageData(eventColours(signedPixels(source.view.pixels), theme), width, height), 0, 0);
  return canvas;
}
