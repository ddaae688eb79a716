import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-web';
import sharp from 'sharp';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { goldenCases } from '../../e2e/golden';
import { intersectionOverUnion, type Box, type Detection } from '../base/geometry';
import { matchBoxes } from '../base/matchBoxes';
import { quietTask } from '../base/progress';
import { z } from '../base/schema';
import { openCheckpoint } from '../checkpoint/open';
import { main } from './main';
import { openFile } from './surroundings';

const folder = mkdtempSync(join(tmpdir(), 'ems-yolo-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

let output: MockInstance<typeof process.stdout.write>;
let complaints: MockInstance<typeof process.stderr.write>;
beforeEach(() => {
  output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  complaints = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => vi.restoreAllMocks());

const written = (stream: MockInstance<typeof process.stdout.write>): string => stream.mock.calls.map(([text]) => String(text)).join('');

/** The contract of the command line, as far as `detect` is concerned. */
const contract = z.strictObject({
  model: z.string(),
  backend: z.string(),
  steps: z.int(),
  width: z.int(),
  height: z.int(),
  detections: z.array(z.strictObject({ box: z.array(z.number()).length(4), score: z.number(), class: z.int(), name: z.string() })),
  firingRates: z.array(z.number()),
  energy: z.strictObject({
    convention: z.string(),
    acOpsPerStep: z.number(),
    macOpsPerStep: z.number(),
    snnPj: z.number().nullable(),
    annPj: z.number(),
  }),
  timing: z.strictObject({ preprocessMs: z.number(), inferenceMs: z.number(), postprocessMs: z.number() }),
});

async function detect(...options: string[]): Promise<z.infer<typeof contract>> {
  expect(await main(['detect', ...options, '--json'])).toBe(0);
  return contract.parse(JSON.parse(written(output)));
}

const asDetection = (found: z.infer<typeof contract>['detections'][number]): Detection => ({ ...found, box: found.box as unknown as Box });

const pictureCases = goldenCases().filter(({ name }) => !name.startsWith('steps-'));

describe('detect', () => {
  it.each(pictureCases)('prints the boxes of $name and writes its numbers', async ({ folder: source, steps, width, height, firingRates, half }) => {
    const raw = join(folder, 'raw.safetensors');
    const result = await detect(
      ...['--weights', resolve(source, 'checkpoint.pt'), '--input', resolve(source, 'input.png')],
      ...['--steps', String(steps), '--raw', raw],
    );
    expect(result).toMatchObject({ model: 'checkpoint.pt', backend: 'event', steps, width, height });
    const expected = await openCheckpoint(await openFile(resolve(source, 'expected.safetensors')), quietTask);
    const detections = await expected.read('detections', quietTask);
    const golden = Array.from({ length: detections.length / 6 }, (_, index) => {
      const [x1 = 0, y1 = 0, x2 = 0, y2 = 0, score = 0, label = 0] = detections.subarray(index * 6, index * 6 + 6);
      const clip = (value: number, side: number): number => Math.min(Math.max(value, 0), side);
      const box: Box = [clip(x1, width), clip(y1, height), clip(x2, width), clip(y2, height)];
      return { box, score, class: label };
    });
    if (half) {
      for (const { box, class: label } of golden.filter(({ score, box: [x1, y1, x2, y2] }) => score > 0.3 && x2 - x1 > 1 && y2 - y1 > 1)) {
        const best = result.detections.filter((found) => found.class === label).map((found) => intersectionOverUnion(box, found.box as unknown as Box));
        expect(Math.max(...best)).toBeGreaterThan(0.9);
      }
    } else {
      expect(result.detections.map((found) => found.class)).toEqual(golden.map((found) => found.class));
      for (const [index, { box, score }] of golden.entries()) {
        expect(result.detections[index]?.score).toBeCloseTo(score, 3);
        box.forEach((side, corner) => expect(Math.abs((result.detections[index]?.box[corner] ?? NaN) - side)).toBeLessThanOrEqual(0.05));
      }
    }
    expect(result.firingRates).toHaveLength(firingRates.length);
    result.firingRates.forEach((rate, index) => expect(Math.abs(rate - (firingRates[index] ?? NaN))).toBeLessThan(half ? 0.002 : 1e-6));

    const rawFile = await openCheckpoint(await openFile(raw), quietTask);
    for (const name of half ? ['input', 'raw.0', 'raw.1', 'pred'] : expected.tensors.keys()) {
      if (name === 'detections') continue;
      expect(rawFile.tensors.get(name)?.shape, name).toEqual(expected.tensors.get(name)?.shape);
      const ours = await rawFile.read(name, quietTask);
      const theirs = await expected.read(name, quietTask);
      // Decoded boxes multiply the logits' differences by anchors and strides.
      const tolerance = name === 'pred' ? 0.05 : 1e-3;
      const worst = theirs.reduce((most, value, index) => Math.max(most, Math.abs(value - (ours[index] ?? NaN))), 0);
      expect(worst, name).toBeLessThan(half ? 0.5 : tolerance);
    }
  });

  it('finds the cells of a drawn smear with the shipped model, spiking and not', async () => {
    const picture = resolve(import.meta.dirname, '../../public/gallery/smear-1.jpg');
    for (const mode of ['snn', 'ann']) {
      output.mockClear();
      const result = await detect('--weights', 'bccd', '--input', picture, '--size', '256', '--mode', mode);
      expect(result.detections.filter(({ name }) => name === 'WBC')).toHaveLength(1);
      expect(result.detections.filter(({ name }) => name === 'RBC').length).toBeGreaterThan(7);
      expect(result).toMatchObject({ width: 640, height: 480 });
      // The figures of the model's card.
      expect(result.energy.acOpsPerStep / 1e6).toBeCloseTo(221, 0);
      expect(result.energy.macOpsPerStep / 1e6).toBeCloseTo(17, 0);
      if (mode === 'snn') expect(result.energy.annPj / (result.energy.snnPj ?? NaN)).toBeCloseTo(4.66, 0);
      else expect(result).toMatchObject({ steps: 1, firingRates: [], energy: { snnPj: null } });
    }
  });

  it('draws the boxes into a PNG of the picture’s size', async () => {
    const [golden] = pictureCases;
    if (!golden) throw new Error('no golden case');
    const drawing = join(folder, 'drawing.png');
    await detect('--weights', resolve(golden.folder, 'checkpoint.pt'), '--input', resolve(golden.folder, 'input.png'), '--draw', drawing);
    const before = await sharp(resolve(golden.folder, 'input.png')).removeAlpha().raw().toBuffer();
    const { data, info } = await sharp(drawing).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([golden.width, golden.height]);
    expect(data.equals(before)).toBe(false);
  });
});

describe('convert', () => {
  it.each(['pt', 'safetensors'])('to .%s and back leaves every value as it was', async (format) => {
    const [golden] = goldenCases().filter(({ name }) => name === 'resnet34-cat-64');
    const source = resolve(golden?.folder ?? '', 'checkpoint.pt');
    const there = join(folder, `there.${format}`);
    const back = join(folder, `back.${format === 'pt' ? 'safetensors' : 'pt'}`);
    expect(await main(['convert', source, there])).toBe(0);
    expect(await main(['convert', there, back])).toBe(0);
    const [first, last] = [await openCheckpoint(await openFile(source), quietTask), await openCheckpoint(await openFile(back), quietTask)];
    expect(last.description?.rows).toEqual(first.description?.rows);
    expect(last.description?.classNames).toEqual(first.description?.classNames);
    let compared = 0;
    for (const name of last.tensors.keys()) {
      expect(await last.read(name, quietTask)).toEqual(await first.read(name, quietTask));
      compared++;
    }
    expect(compared).toBeGreaterThan(100);
  });

  it('makes a spiking network of the ANN twin, which detect runs over any number of steps', { timeout: 180_000 }, async () => {
    const twin = resolve('models/bccd/ann.safetensors');
    const picture = resolve('public/gallery/smear-2.jpg');
    const asPyTorch = join(folder, 'twin.pt');
    expect(await main(['convert', twin, asPyTorch])).toBe(0);
    const ann = async (): Promise<z.infer<typeof contract>> => {
      output.mockClear();
      return detect('--weights', twin, '--mode', 'ann', '--input', picture, '--size', '256');
    };
    for (const [input, out] of [
      [twin, 'converted.safetensors'],
      [asPyTorch, 'converted.pt'],
    ] as const) {
      const converted = join(folder, out);
      expect(await main(['convert', input, converted, '--ann-to-snn', '--size', '256', '--calibrate', picture, '--burst', '5', '--percentile', '99.9'])).toBe(0);
      output.mockClear();
      const result = await detect('--weights', converted, '--mode', 'snn', '--steps', '128', '--input', picture, '--size', '256');
      expect(result).toMatchObject({ model: out, steps: 128, energy: { convention: expect.stringContaining('45 nm FP32') } });
      expect(result.firingRates).toHaveLength(21);
      expect(result.energy.snnPj).toBeGreaterThan(0);
      const { found, missed } = matchBoxes(result.detections.map(asDetection), (await ann()).detections.map(asDetection));
      expect(missed.length).toBeLessThanOrEqual(1);
      expect(found.filter((hit) => !hit).length).toBeLessThanOrEqual(1);
    }

    // What has only the neurons of training does not run it as if it were trained.
    const exported = join(folder, 'converted.onnx');
    expect(await main(['convert', join(folder, 'converted.pt'), exported])).toBe(1);
    expect(existsSync(exported)).toBe(false);
    expect(await main(['convert', join(folder, 'converted.pt'), exported, '--mode', 'ann'])).toBe(0);

    // From one format to the other it stays what it is.
    const again = join(folder, 'again.safetensors');
    expect(await main(['convert', join(folder, 'converted.pt'), again])).toBe(0);
    output.mockClear();
    const raw = join(folder, 'converted-raw.safetensors');
    expect(await detect('--weights', again, '--steps', '20', '--input', picture, '--size', '256', '--raw', raw)).toMatchObject({ steps: 20 });
    expect([...(await openCheckpoint(await openFile(raw), quietTask)).tensors.keys()]).toEqual(['input', 'raw.0', 'raw.1', 'pred']);
  });

  it('refuses to convert what is no ANN twin, and options that mean nothing', async () => {
    const snn = resolve('models/bccd/snn.safetensors');
    const twin = resolve('models/bccd/ann.safetensors');
    const out = join(folder, 'refused.safetensors');
    const withoutPictures = mkdtempSync(join(folder, 'empty-'));
    for (const [args, code] of [
      [['convert', snn, out, '--ann-to-snn'], 2],
      [['convert', twin, out, '--ann-to-snn', '--percentile', '0'], 2],
      [['convert', twin, out, '--ann-to-snn', '--burst', '99'], 2],
      [['convert', twin, out, '--ann-to-snn', '--mode', 'ann'], 2],
      [['convert', twin, out, '--burst', '2'], 2],
      [['convert', twin, join(folder, 'refused.onnx'), '--ann-to-snn'], 2],
      [['convert', twin, out, '--ann-to-snn', '--calibrate', withoutPictures], 2],
      [['convert', twin, out, '--ann-to-snn', '--calibrate', join(folder, 'nothing.png')], 1],
      [['detect', '--weights', 'bccd', '--steps', '17', '--input', resolve('public/gallery/smear-1.jpg')], 2],
    ] as const) {
      expect(await main([...args]), args.join(' ')).toBe(code);
    }
    expect(existsSync(out)).toBe(false);
  });

  it('writes a network that other runtimes run', async () => {
    const [golden] = goldenCases().filter(({ name }) => name === 'resnet34-cat-64');
    const there = join(folder, 'there.onnx');
    const asked = ['--steps', '2', '--size', '32', '--slices'];
    expect(await main(['convert', resolve(golden?.folder ?? '', 'checkpoint.pt'), there, ...asked])).toBe(0);
    const session = await InferenceSession.create(there);
    const outputs = await session.run({ images: new Tensor('float32', new Float32Array(2 * 3 * 32 * 32), [2, 3, 32, 32]) });
    expect(Object.entries(outputs).map(([name, { dims }]) => [name, ...dims.slice(2)])).toEqual([
      ['logits.0', 2, 2],
      ['logits.1', 1, 1],
    ]);
  });
});

describe('what goes wrong', () => {
  const failures: [string, string[], number, RegExp][] = [
    ['no command', [], 2, /Usage/],
    ['an unknown command', ['paint'], 2, /Usage/],
    ['an unknown option', ['detect', '--speed', '9'], 2, /\[usage\]/],
    ['no weights', ['detect', '--input', 'a.png'], 2, /--weights/],
    ['too many steps', ['detect', '--weights', 'bccd', '--input', 'a.png', '--steps', '17'], 2, /--steps is 17/],
    ['a size that is no multiple of 32', ['detect', '--weights', 'bccd', '--input', 'a.png', '--size', '100'], 2, /multiple of 32/],
    ['an engine that the bench lacks', ['bench', '--against', 'tensorrt'], 2, /--against is tensorrt: choose from tfjs/],
    ['more threads than the bench has', ['bench', '--threads', '17'], 2, /at most 16/],
    ['a picture that is not there', ['detect', '--weights', 'bccd', '--input', 'nowhere.png'], 1, /nowhere\.png cannot be read.*\[input\/unreadable\]/s],
    ['a format that cannot be written', ['convert', 'a.pt', 'a.h5'], 2, /\.pt, \.safetensors or \.onnx/],
    ['steps for a file that has none', ['convert', 'a.pt', 'a.safetensors', '--steps', '4'], 2, /--steps means nothing for a \.safetensors/],
    ['16-bit floats for other runtimes', ['convert', 'a.pt', 'a.onnx', '--half'], 2, /--half means nothing for a \.onnx/],
  ];
  it.each(failures)('%s', async (_, args, code, sentence) => {
    expect(await main(args)).toBe(code);
    expect(written(complaints)).toMatch(sentence);
    expect(written(output)).toBe('');
  });

  it('a picture that is none', async () => {
    const path = join(folder, 'none.png');
    writeFileSync(path, 'not a picture');
    expect(await main(['detect', '--weights', 'bccd', '--input', path])).toBe(1);
    expect(written(complaints)).toMatch(/\[input\/unreadable\]/);
  });
});

describe('bench', () => {
  it('compares what the engines compute before it times them', { timeout: 300_000 }, async () => {
    expect(await main(['bench', '--weights', 'bccd', '--size', '64', '--steps', '2', '--json'])).toBe(0);
    const spread = z.object({ medianMs: z.number(), minMs: z.number(), maxMs: z.number(), runs: z.int().positive() });
    const { rows, details } = z
      .object({
        machine: z.object({ cpu: z.string(), cores: z.int() }),
        rows: z.array(
          spread.extend({
            network: z.enum(['snn', 'ann']),
            engine: z.string(),
            backend: z.string(),
            threads: z.literal(1),
            maxOutputDifference: z.number().max(1e-3),
            firingRate: z.number().nullable(),
          }),
        ),
        details: z.array(
          z.object({
            costs: z.object({
              rates: z.array(z.object({ threshold: z.number(), firingRate: z.number(), run: spread, spikingLayers: spread })),
              stepsFit: z.object({ slope: z.number(), intercept: z.number(), explained: z.number() }),
              sizesFit: z.object({ slope: z.number(), intercept: z.number(), explained: z.number() }),
              layers: z.array(z.object({ name: z.string(), reads: z.enum(['spikes', 'values']), operations: z.int().positive() })),
            }),
            memory: z.object({ peakBytes: z.int().positive(), weightBytes: z.int().positive(), twoLargestLayersBytes: z.int().positive() }),
          }),
        ),
      })
      .parse(JSON.parse(written(output)));
    expect(rows.map(({ network, engine, backend }) => `${network} ${engine} ${backend}`)).toEqual(
      ['this event', 'tfjs wasm', 'onnxruntime-web wasm', 'onnxruntime-node cpu'].flatMap((name) => [`snn ${name}`, `ann ${name}`]),
    );
    const rates = new Set(rows.filter(({ network }) => network === 'snn').map(({ firingRate }) => firingRate));
    expect(rates.size).toBe(1);
    const [detail] = details;
    const falling = detail?.costs.rates.map(({ firingRate }) => firingRate) ?? [];
    expect(falling.length).toBeGreaterThan(3);
    expect(falling).toEqual(falling.toSorted((a, b) => b - a));
    // One layer for each convolution of the network, all of them heard of.
    expect(detail?.costs.layers.filter(({ reads }) => reads === 'spikes').length).toBeGreaterThan(15);
  });
});
