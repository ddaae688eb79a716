import sharp from 'sharp';
import type { Picture } from '../base/picture';
import type { DetectionResult, RecordingView } from '../engine/protocol';

/** Okabe and Ito's colours: told apart by people with any kind of colour vision. */
const classColours = ['#e69f00', '#56b4e9', '#009e73', '#f0e442', '#0072b2', '#d55e00', '#cc79a7'];

/** Writes the picture with its boxes as a PNG. */
export async function writeDrawing(path: string, image: Blob, result: DetectionResult): Promise<void> {
  const { width, height } = result.picture;
  const boxes = (result.detectionsPerStep.at(-1) ?? []).map(({ box: [x1, y1, x2, y2], name, score, class: label }) => {
    const colour = classColours[label % classColours.length] ?? '#e69f00';
    return [
      `<rect x="${x1}" y="${y1}" width="${x2 - x1}" height="${y2 - y1}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      `<text x="${x1 + 2}" y="${Math.max(y1 - 3, 11)}" font-family="sans-serif" font-size="11" fill="${colour}" stroke="#000" stroke-width="3" paint-order="stroke">${escapeXml(name)} ${score.toFixed(2)}</text>`,
    ].join('');
  });
  const overlay = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${boxes.join('')}</svg>`;
  await sharp(new Uint8Array(await image.arrayBuffer()))
    .autoOrient()
    .flatten({ background: 'white' })
    .composite([{ input: Buffer.from(overlay) }])
    .png()
    .toFile(path);
}

/** The last polarity of each pixel as black (OFF) and white (ON) on grey, as the network sees it. */
export function eventsPicture({ sensor, pixels }: RecordingView): Picture {
  const data = new Uint8Array(sensor.width * sensor.height * 3);
  const values = pixels.kind === 'polarity' ? pixels.last : pixels.value;
  values.forEach((value, pixel) => data.fill(Math.round(127.5 + value * 127.5), pixel * 3, pixel * 3 + 3));
  return { ...sensor, data };
}

/** Class names come from the checkpoint. */
function escapeXml(text: string): string {
  return text.replace(/[<>&"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
