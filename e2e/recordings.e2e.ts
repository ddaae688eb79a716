import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { quietTask } from '../src/base/progress';
import { isPresent, sharedDataFolder, sharedWeightsFolder } from './golden';
import { dropFiles, fileFrom, openExpected, openPage, readBoxes } from './page';
import { expect, test } from './support';

const events = resolve(sharedDataFolder, 'events');
const scene = resolve(sharedDataFolder, '../golden/scene-nmnist-128');
const digitsInScene = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

test('a simulated recording opens with its boxes, plays, and the network finds its digits', async ({ page }) => {
  await openPage(page);
  await page.getByRole('button', { name: 'Moving digits 1', exact: true }).click();
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
  await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'matched').length).toBeGreaterThan(0);
  await expect(page.getByRole('button', { name: /^Step 5/ }).first()).toBeVisible();
  const clock = page.getByTestId('recording-clock');
  const before = await clock.textContent();
  await page.getByRole('button', { name: 'Previous window' }).click();
  await page.getByRole('button', { name: 'Next window' }).click();
  await expect(clock).not.toHaveText(before ?? '');
});

test('another scene is filmed when asked for', async ({ page }) => {
  await openPage(page);
  await page.getByRole('button', { name: 'Film another: Moving digits' }).click();
  const panel = page.getByRole('region', { name: 'Recording', exact: true });
  await expect(panel).toContainText('Simulated scene, 128 × 128');
  await expect(page.getByText(/^Moving digits \d{4,}/)).toBeVisible();
});

test('a recording plays from window to window and stops at its end', async ({ page }) => {
  await openPage(page);
  await page.getByRole('button', { name: 'Road with cars and pedestrians 1' }).click();
  const clock = page.getByTestId('recording-clock');
  await expect(clock).toBeVisible();
  await page.getByRole('button', { name: /Playing speed$/ }).click();
  await page.getByRole('option', { name: '1×', exact: true }).click();
  const before = await clock.textContent();
  await page.getByRole('button', { name: 'Play recording' }).click();
  await expect(clock).not.toHaveText(before ?? '');
  await expect(page.getByRole('button', { name: 'Play recording' })).toBeVisible({ timeout: 60_000 });
  await expect(clock).toContainText('to 2 s');
});

test.describe('real recordings', () => {
  test.skip(!isPresent(events, 'Opening real recordings on the page'), `${events} does not exist`);

  const files: readonly (readonly [name: string, format: string, events: string])[] = [
    ['evt2_640x480.raw', 'Prophesee RAW EVT 2.0', '521,252'],
    ['evt3_1280x720.raw', 'Prophesee RAW EVT 3.0', '219,596'],
    ['nmnist.bin', 'ATIS 40-bit', '4,325'],
    ['dvs_320x240.es', 'Event Stream 2 DVS', '473,225'],
    ['dvxplorer_320x240_lz4.aedat4', 'AEDAT 4.0', '111,954'],
    ['slider_240x180_t_x_y_p.txt', 'Text', '50,000'],
    ['dsec_layout_320x240.h5', 'HDF5', '111,954'],
  ];
  for (const [name, format, count] of files) {
    test(`${name} opens, jumps and is run through the network`, async ({ page }) => {
      await openPage(page);
      await dropFiles(page, [fileFrom(events, name)]);
      const panel = page.getByRole('region', { name: 'Recording', exact: true });
      await expect(panel).toContainText(format);
      await expect(panel.getByRole('row', { name: /^events/ })).toContainText(count);
      const timeline = page.getByRole('slider', { name: 'Time window' });
      await timeline.focus();
      const clock = page.getByTestId('recording-clock');
      const before = await clock.textContent();
      await page.getByRole('button', { name: / Window$/ }).click();
      await page.getByRole('option', { name: '20 ms', exact: true }).click();
      await timeline.focus();
      await page.keyboard.press('End');
      await expect(clock).not.toHaveText(before ?? '');
      await page.keyboard.press('Home');
      const start = await clock.textContent();
      await page.getByRole('button', { name: 'Play recording' }).click();
      await expect(clock).not.toHaveText(start ?? '');
      await page.getByRole('button', { name: /(Pause|Play) recording/ }).click();
      await expect(page.getByText('SNN (T = 5)')).toBeVisible();
      await expect(page.locator('.pane').first().getByText(/\d+ ms/)).toBeVisible();
    });
  }

  test('boxes of Gen1’s layout come with their recording; the one that crosses the edge is clipped', async ({ page }) => {
    await openPage(page);
    const folder = resolve(events, 'gen1_layout');
    await dropFiles(page, [fileFrom(folder, 'sample_td.dat'), fileFrom(folder, 'sample_bbox.npy')]);
    const panel = page.getByRole('region', { name: 'Recording', exact: true });
    await expect(panel).toContainText('Prophesee DAT 2');
    await page.getByRole('button', { name: / Window$/ }).click();
    await page.getByRole('option', { name: '50 ms', exact: true }).click();
    const timeline = page.getByRole('slider', { name: 'Time window' });
    await timeline.focus();
    await page.keyboard.press('End');
    // The labels at 99 ms: one box, from beyond the left edge.
    await expect.poll(async () => (await readBoxes(page, 'snn')).filter(({ kind }) => kind === 'missed' || kind === 'truth').map(({ box }) => box)).toEqual([[0, 8, 37, 41]]);
  });

  test.describe('refusals', () => {
    for (const [name, pattern] of [
      ['color_atis.es', /colour/],
      ['generic.es', /generic/],
    ] as const) {
      test(`${name} gets a sentence, and what was there stays`, async ({ page }) => {
        await openPage(page);
        await dropFiles(page, [fileFrom(events, name)]);
        await expect(page.getByRole('alert')).toContainText(pattern);
        await expect(page.getByText(/^Drawn smear 1/)).toBeVisible();
      });
    }
  });
});

test('events to boxes as in PyTorch: the golden scene', async ({ page }) => {
  test.skip(!isPresent(scene, 'The golden scene of events'), `${scene} does not exist`);
  await openPage(page);
  await dropFiles(page, [fileFrom(sharedWeightsFolder, 'nmnist-scenes-snn.pt'), fileFrom(scene, 'scene_td.dat')]);
  await expect(page.getByRole('region', { name: 'Recording', exact: true })).toBeVisible();
  const time = page.getByRole('slider', { name: 'Time steps T' });
  await time.focus();
  await page.keyboard.press('End');
  for (let step = 16; step > 5; step--) await page.keyboard.press('ArrowLeft');
  await expect(page.getByText('SNN (T = 5)')).toBeVisible();
  const expected = await openExpected(scene).then((file) => file.read('detections', quietTask));
  const boxes = Array.from({ length: expected.length / 6 }, (_, index) => expected.slice(index * 6, index * 6 + 6));
  // What was found with one step more may have as many boxes, and is there until this run has ended.
  await expect(async () => {
    const found = await readBoxes(page, 'snn');
    expect(found).toHaveLength(boxes.length);
    boxes.forEach((box, index) => {
      expect(found[index]?.name).toBe(digitsInScene[box[5] ?? -1]);
      expect(Math.abs((found[index]?.score ?? NaN) - (box[4] ?? NaN))).toBeLessThan(0.001);
      for (let side = 0; side < 4; side++) expect(Math.abs((found[index]?.box[side] ?? NaN) - (box[side] ?? NaN))).toBeLessThanOrEqual(0.1);
    });
  }).toPass({ timeout: 60_000 });
});

test('a sketch is moved over the simulated camera and can be saved', async ({ page }) => {
  await openPage(page);
  await page.getByText('Make events: webcam, video, sketch').click();
  const pad = page.getByRole('application', { name: /Sketch pad/ });
  await pad.scrollIntoViewIfNeeded();
  const area = await pad.boundingBox();
  if (!area) throw new Error('The sketch pad has no place.');
  await page.mouse.move(area.x + area.width * 0.5, area.y + area.height * 0.4);
  await page.mouse.down();
  await page.mouse.move(area.x + area.width * 0.5, area.y + area.height * 0.58, { steps: 6 });
  await page.mouse.up();
  await page.getByRole('button', { name: 'Move it' }).click();
  await expect(page.getByText('Your sketch')).toBeVisible();
  const panel = page.getByRole('region', { name: 'Recording', exact: true });
  await expect(panel).toContainText('128 × 128');
  const download = page.waitForEvent('download');
  await panel.getByRole('button', { name: /Save as/ }).click();
  await page.getByRole('option', { name: 'CSV', exact: true }).click();
  const saved = readFileSync(await (await download).path(), 'utf8').split('\n');
  expect(saved[0]).toBe('t,x,y,p');
  expect(saved.length).toBeGreaterThan(300);
});

test('a video becomes events: a moving edge gives as many as it must', async ({ page }) => {
  await openPage(page);
  // A bright half moves over a dark ground by 16 pixels a frame: the codec's blocks stay flat, and nothing rings at the edge.
  const video = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    canvas.width = 192;
    canvas.height = 96;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('no canvas');
    const chunks: { data: Uint8Array; key: boolean; time: number }[] = [];
    let colorSpace: VideoColorSpaceInit | undefined;
    const encoder = new VideoEncoder({
      output: (chunk, metadata) => {
        const space = metadata?.decoderConfig?.colorSpace;
        if (space) colorSpace = { primaries: space.primaries, transfer: space.transfer, matrix: space.matrix, fullRange: space.fullRange };
        const data = new Uint8Array(chunk.byteLength);
        chunk.copyTo(data);
        chunks.push({ data, key: chunk.type === 'key', time: chunk.timestamp });
      },
      error: (error) => {
        throw error;
      },
    });
    encoder.configure({ codec: 'vp8', width: 192, height: 96, bitrate: 20_000_000, framerate: 30 });
    const frames = 9;
    for (let frame = 0; frame < frames; frame++) {
      context.fillStyle = 'rgb(60, 60, 60)';
      context.fillRect(0, 0, 192, 96);
      context.fillStyle = 'rgb(190, 190, 190)';
      context.fillRect(0, 0, 32 + frame * 16, 96);
      const image = new VideoFrame(canvas, { timestamp: Math.round((frame * 1e6) / 30) });
      encoder.encode(image, { keyFrame: frame === 0 });
      image.close();
    }
    await encoder.flush();
    // Without its colours' range the video would be decoded with more contrast than it has.
    return { colorSpace, chunks: chunks.map(({ data, key, time }) => ({ base64: btoa(String.fromCharCode(...data)), key, time })) };
  });
  const { BufferTarget, EncodedPacket, EncodedVideoPacketSource, Output, WebMOutputFormat } = await import('mediabunny');
  const output = new Output({ format: new WebMOutputFormat(), target: new BufferTarget() });
  const track = new EncodedVideoPacketSource('vp8');
  output.addVideoTrack(track, { frameRate: 30 });
  await output.start();
  for (const { base64, key, time } of video.chunks) {
    const packet = new EncodedPacket(new Uint8Array(Buffer.from(base64, 'base64')), key ? 'key' : 'delta', time / 1e6, 1 / 30);
    await track.add(packet, { decoderConfig: { codec: 'vp8', codedWidth: 192, codedHeight: 96, ...(video.colorSpace && { colorSpace: video.colorSpace }) } });
  }
  await output.finalize();
  const bytes = new Uint8Array(output.target.buffer ?? new ArrayBuffer(0));
  await dropFiles(page, [{ name: 'edge.webm', bytes }]);
  const panel = page.getByRole('region', { name: 'Recording', exact: true });
  await expect(panel).toContainText('192 × 96');
  await expect(page.getByText(/from 9 frames/)).toBeVisible();
  const row = panel.getByRole('row', { name: /^events/ });
  // ln(190 / 60) = 1.153 crosses the threshold of 0.25 four times, in 8 * 16 columns of 96 pixels.
  const expected = 4 * 128 * 96;
  await expect.poll(async () => Number(((await row.locator('td').nth(1).textContent()) ?? '').replaceAll(',', ''))).toBeGreaterThan(expected * 0.9);
  expect(Number(((await row.locator('td').nth(1).textContent()) ?? '').replaceAll(',', ''))).toBeLessThan(expected * 1.1);
});
