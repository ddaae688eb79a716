import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest';
import { isPresent, sharedDataFolder, sharedWeightsFolder } from '../../e2e/golden';
import { nodeBackend } from '../../e2e/kernels';
import { defaultConversion } from '../base/conversionOptions';
import { quietTask } from '../base/progress';
import { z } from '../base/schema';
import { detectionResultSchema } from '../engine/protocol';
import { Session } from '../engine/session';
import { trainedNeuron } from '../network/network';
import { openBackend } from '../tensor/backend';
import { datasetFilesAt } from './datasetFolder';
import { galleryFolder } from './gallery';
import { main } from './main';
import { nodeSurroundings, openFile } from './surroundings';

const folder = mkdtempSync(join(tmpdir(), 'ems-yolo-evaluate-'));
afterAll(() => rmSync(folder, { recursive: true }));

let output: MockInstance<typeof process.stdout.write>;
let complaints: MockInstance<typeof process.stderr.write>;
beforeEach(() => {
  output = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  complaints = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => vi.restoreAllMocks());

const written = (stream: MockInstance<typeof process.stdout.write>): string => stream.mock.calls.map(([text]) => String(text)).join('');

const ruleSchema = z.strictObject({
  map50: z.number().nullable(),
  map: z.number().nullable(),
  perClass: z.array(z.strictObject({ name: z.string(), ap50: z.number(), ap: z.number() })),
});
/** The contract of the command line. */
const contract = z.strictObject({ images: z.int(), released: ruleSchema, coco: ruleSchema });

async function evaluate(...options: string[]): Promise<z.infer<typeof contract>> {
  expect(await main(['evaluate', ...options, '--json']), written(complaints)).toBe(0);
  return contract.parse(JSON.parse(written(output)));
}

/** Figures agree within the tolerance that the shared weights' card is held to. */
function expectFigures({ released, coco }: z.infer<typeof contract>, figures: readonly [number, number, number, number]): void {
  [released.map50, released.map, coco.map50, coco.map].forEach((value, index) => expect(Math.abs((value ?? NaN) - (figures[index] ?? NaN)), `figure ${index}`).toBeLessThan(0.003));
}

/** Drawn smears with what the SNN finds on the first of them as labels. */
const smears = join(folder, 'smears');
const labels = detectionResultSchema.parse((JSON.parse(readFileSync(join(galleryFolder, 'example.json'), 'utf8')) as { snn: unknown }).snn).detectionsPerStep.at(-1) ?? [];

function writeSmears(): void {
  mkdirSync(join(smears, 'images'), { recursive: true });
  mkdirSync(join(smears, 'annotations'));
  for (const seed of [1, 2]) {
    writeFileSync(join(smears, 'images', `smear-${seed}.jpg`), readFileSync(join(galleryFolder, `smear-${seed}.jpg`)));
    const objects = labels.map(({ name, box: [x1, y1, x2, y2] }) => `<object><name>${name}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`);
    writeFileSync(join(smears, 'annotations', `smear-${seed}.xml`), `<annotation>${seed === 1 ? objects.join('') : ''}</annotation>`);
  }
}
writeSmears();

describe('evaluate', () => {
  it('finds what it found before, by both rules, and tells the same in every format', async () => {
    const fromVoc = await evaluate('--weights', 'bccd', '--data', smears);
    expect(fromVoc.images).toBe(2);
    expect(fromVoc.released.perClass.map(({ name }) => name)).toEqual(['Platelets', 'RBC', 'WBC'].filter((name) => labels.some((label) => label.name === name)));
    // Only that the other picture has no labels costs precision.
    expect(fromVoc.released.map50).toBeGreaterThan(0.4);
    expect(fromVoc.released.map50).toBeLessThan(1);

    const coco = join(folder, 'coco');
    mkdirSync(coco);
    symlinkSync(join(smears, 'images'), join(coco, 'images'));
    mkdirSync(join(coco, 'annotations'));
    const categories = [{ id: 5, name: 'Platelets' }, { id: 7, name: 'WBC' }, { id: 9, name: 'RBC' }];
    const annotations = labels.map(({ name, box: [x1, y1, x2, y2] }, index) => ({
      id: index + 1,
      image_id: 1,
      category_id: categories.find((category) => category.name === name)?.id,
      bbox: [x1, y1, x2 - x1, y2 - y1],
      iscrowd: 0,
    }));
    writeFileSync(
      join(coco, 'annotations', 'instances_default.json'),
      JSON.stringify({ images: [{ id: 1, file_name: 'smear-1.jpg' }, { id: 2, file_name: 'smear-2.jpg' }], categories, annotations }),
    );
    output.mockClear();
    expect(await evaluate('--weights', 'bccd', '--data', coco)).toEqual(fromVoc);

    const yolo = join(folder, 'yolo');
    mkdirSync(join(yolo, 'labels'), { recursive: true });
    symlinkSync(join(smears, 'images'), join(yolo, 'images'));
    writeFileSync(join(yolo, 'data.yaml'), 'train: images\nval: images\nnames:\n  0: WBC\n  1: RBC\n  2: Platelets\n');
    const line = ({ name, box: [x1, y1, x2, y2] }: (typeof labels)[number]): string =>
      [['WBC', 'RBC', 'Platelets'].indexOf(name), (x1 + x2) / 1280, (y1 + y2) / 960, (x2 - x1) / 640, (y2 - y1) / 480].join(' ');
    writeFileSync(join(yolo, 'labels', 'smear-1.txt'), labels.map(line).join('\n'));
    output.mockClear();
    const fromYolo = await evaluate('--weights', 'bccd', '--data', yolo, '--format', 'yolo');
    expect(fromYolo.released.map).toBeCloseTo(fromVoc.released.map ?? NaN, 9);
    expect(fromYolo.coco.map).toBeCloseTo(fromVoc.coco.map ?? NaN, 9);
  });

  it('prints a table with what a person should know', async () => {
    // A file beside its manifest is run at the size that it was trained at, as the model is by its name.
    for (const weights of ['bccd', resolve('models/bccd/ann.safetensors')]) {
      expect(await main(['evaluate', '--weights', weights, '--data', smears, '--mode', 'ann', '--limit', '1'])).toBe(0);
      expect(written(output)).toMatch(/(bccd|ann\.safetensors), ANN, input 320 px; 1 samples \(voc\)/);
      expect(written(output)).toMatch(/^RBC\s+\d+/m);
      output.mockClear();
    }
    expect(written(complaints)).toBe('');
  });

  it('runs a converted network from its file as the page runs the one that it made itself', { timeout: 240_000 }, async () => {
    const twin = resolve('models/bccd/ann.safetensors');
    const calibration = join(galleryFolder, 'smear-3.jpg');
    const converted = join(folder, 'converted.safetensors');
    expect(await main(['convert', twin, converted, '--ann-to-snn', '--size', '320', '--calibrate', calibration]), written(complaints)).toBe(0);
    output.mockClear();
    const evaluated = await evaluate('--weights', converted, '--data', smears, '--steps', '64', '--size', '320');
    output.mockClear();
    const picture = join(galleryFolder, 'smear-1.jpg');
    expect(await main(['detect', '--weights', converted, '--input', picture, '--steps', '64', '--size', '320', '--json'])).toBe(0);
    const detected = z.object({ steps: z.literal(64), detections: z.array(z.unknown()).min(5), firingRates: z.array(z.number()) }).parse(JSON.parse(written(output)));

    const session = new Session(await openBackend(nodeBackend('auto')), nodeSurroundings);
    await session.load({ slot: 'ann', source: { kind: 'shipped', name: 'bccd' } }, quietTask);
    const settings = { ...trainedNeuron, inputSize: 320 };
    await session.convert({ calibration: [{ id: 'calibration', image: await openFile(calibration) }], options: defaultConversion, settings: { ...settings, steps: 1 } }, quietTask);
    await session.evaluations.openFiles({ id: 'smears', files: await datasetFilesAt(smears), format: undefined }, quietTask);
    const request = { id: 'both', dataset: 'smears', part: undefined, limit: undefined, networks: [{ slot: 'converted' as const, steps: [64] }], inputSize: undefined, budgetMs: Infinity };
    const { cases: [found] } = await session.evaluations.evaluate(request, quietTask);
    expect(found).toMatchObject({ mode: 'converted', steps: 64, inputSize: 320, samples: 2 });
    for (const rule of ['released', 'coco'] as const) expect(found?.[rule]).toMatchObject(evaluated[rule]);
    expect(evaluated.released.map50).toBeGreaterThan(0.2);

    const frame = { id: 'picture', image: await openFile(picture) };
    const result = await session.detect({ slot: 'converted', frame, settings: { ...settings, steps: 64 }, confidence: 0.25, iou: 0.45 }, quietTask);
    expect(result.detectionsPerStep.at(-1)?.map(({ box, score, class: label, name }) => ({ box, score, class: label, name }))).toEqual(detected.detections);
    expect(result.firingRates.map((rates) => rates?.[0])).toEqual(detected.firingRates);
    await expect(session.evaluations.evaluate({ ...request, id: 'leaky', networks: [{ slot: 'snn', source: { kind: 'file', name: 'converted', blob: await openFile(converted) }, steps: [4] }] }, quietTask)).rejects.toMatchObject({ code: 'network/invalid-settings' });
  });

  it('a picture that cannot be read is named, and the rest goes on', async () => {
    const damaged = join(folder, 'damaged');
    mkdirSync(damaged);
    for (const name of ['a', 'b']) writeFileSync(join(damaged, `${name}.xml`), readFileSync(join(smears, 'annotations/smear-1.xml')));
    writeFileSync(join(damaged, 'a.jpg'), 'no picture');
    writeFileSync(join(damaged, 'b.jpg'), readFileSync(join(smears, 'images/smear-1.jpg')));
    expect((await evaluate('--weights', 'bccd', '--data', damaged)).images).toBe(1);
    expect(written(complaints)).toMatch(/^a\.jpg: /m);
  });

  it('classes that the network does not know are named and left out', async () => {
    const strange = join(folder, 'strange');
    mkdirSync(strange);
    const box = '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>90</xmax><ymax>90</ymax></bndbox>';
    writeFileSync(join(strange, 'a.xml'), `<annotation><object><name>rbc</name>${box}</object><object><name>parasite</name>${box}</object></annotation>`);
    await sharp({ create: { width: 100, height: 100, channels: 3, background: 'white' } }).png().toFile(join(strange, 'a.png'));
    expect((await evaluate('--weights', 'bccd', '--data', strange)).released.perClass).toEqual([{ name: 'RBC', ap50: 0, ap: 0 }]);
    expect(written(complaints)).toMatch(/does not know parasite/);
  });

  const empty = join(folder, 'empty');
  mkdirSync(empty);
  it.each<[string, string[], number, RegExp]>([
    ['no data', ['--weights', 'bccd'], 2, /--data/],
    ['a format that is none', ['--weights', 'bccd', '--data', smears, '--format', 'kitti'], 2, /--format is kitti/],
    ['a folder that is not there', ['--weights', 'bccd', '--data', join(folder, 'nowhere')], 1, /nowhere cannot be read.*\[input\/unreadable\]/s],
    ['a folder without a data set', ['--weights', 'bccd', '--data', empty], 1, /looked for .*COCO.*VOC.*\[dataset\/unknown\]/s],
    ['another format than the folder’s', ['--weights', 'bccd', '--data', smears, '--format', 'gen1'], 1, /looked for pairs .*\[dataset\/unknown\]/s],
    ['classes of another world', ['--weights', 'nmnist-scenes', '--data', smears], 1, /are none of the network’s.*\[dataset\/other-classes\]/s],
    ['a part that there is not', ['--weights', 'bccd', '--data', smears, '--part', 'test'], 1, /no part test.*\[dataset\/unknown\]/s],
  ])('%s', async (_, args, code, sentence) => {
    expect(await main(['evaluate', ...args])).toBe(code);
    expect(written(complaints)).toMatch(sentence);
    expect(written(output)).toBe('');
  });
});

describe('the shared weights', () => {
  const bccd = join(sharedDataFolder, 'bccd');
  const weights = (name: string): string => join(sharedWeightsFolder, name);
  const isThere = (what: string): boolean => isPresent(bccd, what) && isPresent(weights('bccd-snn.pt'), what);

  it.runIf(isThere('Evaluating 40 pictures of BCCD'))('on 40 pictures: what pycocotools and NumPy make of the same boxes', { timeout: 240_000 }, async () => {
    const result = await evaluate('--weights', weights('bccd-snn.pt'), '--data', bccd, '--steps', '4', '--limit', '40');
    expect(result.images).toBe(40);
    expectFigures(result, [0.71478, 0.38766, 0.71592, 0.39337]);
  });

  it.runIf(isThere('Evaluating BCCD'))('on all 292: the figures of their card', { timeout: 600_000 }, async () => {
    const snn = await evaluate('--weights', weights('bccd-snn.pt'), '--data', bccd, '--steps', '4', '--size', '256');
    expect(snn.images).toBe(292);
    expectFigures(snn, [0.7378, 0.4235, 0.7353, 0.4282]);
    output.mockClear();
    expectFigures(await evaluate('--weights', weights('bccd-ann.pt'), '--data', bccd, '--mode', 'ann', '--size', '256'), [0.7615, 0.4407, 0.76, 0.446]);
  });

  it.runIf(isThere('Evaluating composed recordings'))('on composed recordings of digits', { timeout: 240_000 }, async () => {
    const scenes = join(folder, 'scenes');
    const nmnist = resolve(sharedDataFolder, 'nmnist');
    expect(await main(['events', 'scenes', '--recordings', join(nmnist, 'recordings'), '--labels', join(nmnist, 'labels.csv'), '--out', scenes, '--count', '30', '--seed', '5'])).toBe(0);
    expect(readdirSync(scenes)).toHaveLength(61);
    const result = await evaluate('--weights', weights('nmnist-scenes-snn.pt'), '--data', scenes);
    expect(result.images).toBe(30);
    // The card says 0.926 on 200 other scenes.
    expect(result.released.map50).toBeGreaterThan(0.85);
  });
});
