import { readdirSync, openAsBlob } from 'node:fs';
import { resolve } from 'node:path';
import { BlobWriter, TextReader, ZipWriter } from '@zip.js/zip.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPresent, sharedDataFolder } from '../../../e2e/golden';
import { quietTask } from '../../base/progress';
import type { TruthBox } from '../../base/truth';
import { writeGen1Boxes } from '../../base/writeTruth';
import { matchClasses } from '../classes';
import { partNamed, partsOfPath } from './dataset';
import { filesOfZip, type DatasetFile } from './files';
import { openDataset, type DatasetOptions } from './open';

type Content = string | Uint8Array<ArrayBuffer>;

function filesOf(contents: Record<string, Content>): DatasetFile[] {
  return Object.entries(contents).map(([path, content]) => ({ path, open: () => Promise.resolve(new Blob([content])) }));
}

const open = (contents: Record<string, Content>, options: DatasetOptions = {}) => openDataset(filesOf(contents), options, quietTask);

function voc(objects: [name: string, ...box: number[]][], filename = ''): string {
  const items = objects.map(([name, x1, y1, x2, y2]) => `<object><name>${name}</name><bndbox><xmin>${x1}</xmin><ymin>${y1}</ymin><xmax>${x2}</xmax><ymax>${y2}</ymax></bndbox></object>`);
  return `<annotation><filename>${filename}</filename>${items.join('')}</annotation>`;
}

const size = { width: 200, height: 100 };

describe('VOC', () => {
  it.each([
    ['beside the pictures', 'set/a.jpg', 'set/a.xml'],
    ['in annotations', 'set/images/a.JPG', 'set/annotations/a.xml'],
    ['in Annotations', 'VOC2012/JPEGImages/a.jpg', 'VOC2012/Annotations/a.xml'],
    ['in parts', 'images/train/a.jpg', 'annotations/train/a.xml'],
    ['elsewhere, with the same name', 'pictures/a.png', 'boxes/a.xml'],
  ])('%s', async (_, picture, annotation) => {
    const { format, classNames, samples, problems } = await open({ [picture]: '', [annotation]: voc([['car', 10, 20, 50, 60], ['ant', 1, 2, 3, 4]]) });
    expect({ format, classNames, problems }).toEqual({ format: 'voc', classNames: ['ant', 'car'], problems: [] });
    expect(samples.map(({ id }) => id)).toEqual([picture]);
    expect(samples[0]?.labelsOn(size)).toEqual([
      { box: [10, 20, 50, 60], class: 1, isCrowd: false, areaPx: undefined },
      { box: [1, 2, 3, 4], class: 0, isCrowd: false, areaPx: undefined },
    ]);
  });

  it('by the name inside where the files have other names', async () => {
    const { samples } = await open({ 'p/IMG_1.jpg': '', 'x/0001.xml': voc([['car', 1, 2, 3, 4]], 'IMG_1.jpg') });
    expect(samples).toHaveLength(1);
  });

  it('ImageSets say the parts', async () => {
    const set = await open({
      'V/JPEGImages/a.jpg': '',
      'V/JPEGImages/b.jpg': '',
      'V/Annotations/a.xml': voc([['car', 1, 2, 3, 4]]),
      'V/Annotations/b.xml': voc([['cat', 1, 2, 3, 4]]),
      'V/ImageSets/Main/train.txt': 'a\n',
      'V/ImageSets/Main/test.txt': 'b\r\n',
      'V/ImageSets/Main/trainval.txt': 'a\nb\n',
      'V/ImageSets/Main/car_train.txt': 'a 1\nb -1\n',
    });
    expect(set.partSizes).toEqual({ train: 1, test: 1 });
    expect(set.samples.map(({ title, parts }) => [title, parts])).toEqual([['a.jpg', ['train']], ['b.jpg', ['test']]]);
  });

  it('a damaged file is named, and the rest goes on', async () => {
    const { samples, problems } = await open({
      'a.jpg': '',
      'a.xml': voc([['car', 1, 2, 3, 4]]),
      'b.jpg': '',
      'b.xml': '<annotation><object><name>car</name>',
      'c.jpg': '',
      'c.xml': '<annotation><object><name>car</name><bndbox><xmin>x</xmin></bndbox></object></annotation>',
      'd.xml': voc([['car', 1, 2, 3, 4]]),
    });
    expect(samples.map(({ title }) => title)).toEqual(['a.jpg']);
    expect(problems.map(({ path }) => path).sort()).toEqual(['b.xml', 'c.xml', 'd.xml']);
  });
});

describe('YOLO', () => {
  const picture = { 'set/images/a.jpg': '', 'set/images/b.jpg': '' };
  const label = { 'set/labels/a.txt': '1 0.5 0.5 0.5 0.5\n' };

  it.each<[string, Record<string, string>, string[]]>([
    ['data.yaml with a list', { 'set/data.yaml': 'nc: 2\nnames: [cat, "dog"]\n' }, ['cat', 'dog']],
    ['classes.yaml with numbers', { 'set/classes.yaml': '# comment\npath: .\nnames:\n  0: cat\n  1: dog\n' }, ['cat', 'dog']],
    ['classes.txt', { 'set/classes.txt': 'cat\r\ndog\r\n\r\n' }, ['cat', 'dog']],
    ['no list', {}, ['0', '1']],
  ])('%s', async (_, lists, names) => {
    const { format, classNames, samples } = await open({ ...picture, ...label, ...lists });
    expect({ format, classNames }).toEqual({ format: 'yolo', classNames: names });
    // A picture without a text shows nothing.
    expect(samples.map((sample) => [sample.title, sample.labelsOn(size).length])).toEqual([['a.jpg', 1], ['b.jpg', 0]]);
    expect(samples[0]?.labelsOn(size)[0]).toMatchObject({ box: [50, 25, 150, 75], class: 1 });
  });

  it('outlines are boxes, and a sixth number is a confidence', async () => {
    const { samples } = await open({ ...picture, 'set/labels/a.txt': '0 0.1 0.2 0.5 0.2 0.3 0.6\n0 0.5 0.5 0.2 0.2 0.9\n' });
    const boxes = samples[0]?.labelsOn({ width: 100, height: 100 }).map(({ box }) => box.map((side) => Math.round(side)));
    expect(boxes).toEqual([[10, 20, 50, 60], [40, 40, 60, 60]]);
  });

  it.each([
    ['folders', 'train: ../train/images\nval: valid/images\n'],
    ['lists of folders', 'train: [train/images]\nval: ./valid/images/\n'],
    ['nothing but the folders’ names', ''],
  ])('parts by %s', async (_, lines) => {
    const { partSizes, samples } = await open({
      'train/images/a.jpg': '',
      'train/labels/a.txt': '',
      'valid/images/b.jpg': '',
      'valid/labels/b.txt': '',
      'data.yaml': `${lines}names: [cat]\n`,
    });
    expect(partSizes).toEqual({ train: 1, val: 1 });
    expect(samples.map(({ parts }) => parts)).toEqual([['train'], ['val']]);
  });

  it('one folder for all parts', async () => {
    const { partSizes } = await open({ ...picture, ...label, 'set/data.yaml': 'train: images\nval: images\nnames: [a, b]\n' });
    expect(partSizes).toEqual({ train: 2, val: 2 });
  });

  it('a class beyond the list, a line that is none, a damaged list: all are named', async () => {
    const { samples, problems, classNames } = await open({
      ...picture,
      'set/images/c.jpg': '',
      ...label,
      'set/labels/b.txt': '7 0.5 0.5 0.1 0.1\n',
      'set/labels/c.txt': 'hello\n',
      'set/data.yaml': 'names: [a, b\n  : :',
      'set/other.yaml': 'names: [a, b]\n',
    });
    expect(classNames).toEqual(['a', 'b']);
    expect(samples.map(({ title }) => title)).toEqual(['a.jpg']);
    expect(problems.map(({ path }) => path)).toEqual(['set/data.yaml', 'set/labels/b.txt', 'set/labels/c.txt']);
  });
});

describe('COCO', () => {
  const content = {
    images: [
      { id: 7, file_name: 'a.jpg', width: 200, height: 100 },
      { id: 3, file_name: 'sub/b.jpg', width: 200, height: 100 },
      { id: 9, file_name: 'gone.jpg' },
    ],
    categories: [
      { id: 18, name: 'dog' },
      { id: 1, name: 'person' },
    ],
    annotations: [
      { id: 1, image_id: 7, category_id: 18, bbox: [10, 20, 30, 40], area: 700, iscrowd: 0 },
      { id: 2, image_id: 7, category_id: 1, bbox: [50, 20, 300, 40], iscrowd: 1 },
      { id: 2, image_id: 7, category_id: 1, bbox: [0, 0, 9, 9] },
      { id: 3, image_id: 3, category_id: 1, bbox: [0, 0, 9, 9] },
      { id: 4, image_id: 3, category_id: 99, bbox: [0, 0, 9, 9] },
      { id: 5, image_id: 3, category_id: 1, bbox: [0, 0, 9] },
    ],
  };
  const pictures = { 'c/images/a.jpg': '', 'c/images/sub/b.jpg': '', 'c/images/unlabelled.jpg': '' };

  it.each(['c/annotations/instances_default.json', 'c/images/labels.json'])('%s', async (path) => {
    const { format, classNames, categoryIds, samples, problems } = await open({ ...pictures, [path]: JSON.stringify(content), 'c/licences.json': '[]' });
    expect({ format, classNames, categoryIds }).toEqual({ format: 'coco', classNames: ['person', 'dog'], categoryIds: [1, 18] });
    expect(samples.map(({ id, imageId }) => [id, imageId])).toEqual([['c/images/a.jpg', 7], ['c/images/sub/b.jpg', 3]]);
    expect(samples[0]?.labelsOn(size)).toEqual([
      { box: [10, 20, 40, 60], class: 1, isCrowd: false, areaPx: 700 },
      // Clipped to the picture.
      { box: [50, 20, 200, 60], class: 0, isCrowd: true, areaPx: undefined },
    ]);
    expect(samples[1]?.labelsOn(size)).toHaveLength(1);
    expect(problems.map(({ message }) => message)).toEqual([
      '2 of its 6 annotations have no box or no known category.',
      '1 of its annotations repeat the id of another, and were left out.',
      '1 of its 3 pictures are not there.',
    ]);
  });

  it('takes instances and leaves captions; the file’s name says the part and the folder', async () => {
    const one = (image: string) => ({ ...content, images: [{ id: 7, file_name: image }], annotations: content.annotations.slice(0, 1) });
    const { partSizes, samples } = await open({
      'train2017/a.jpg': '',
      'val2017/a.jpg': '',
      'annotations/instances_train2017.json': JSON.stringify(one('a.jpg')),
      'annotations/instances_val2017.json': JSON.stringify(one('a.jpg')),
      'annotations/captions_val2017.json': JSON.stringify({ images: [], annotations: [{ caption: 'x' }], categories: [] }),
    });
    expect(partSizes).toEqual({ train: 1, val: 1 });
    expect(samples.map(({ id, parts }) => [id, parts])).toEqual([['train2017/a.jpg', ['train']], ['val2017/a.jpg', ['val']]]);
  });

  it('a damaged JSON beside VOC’s files is named, and the set is VOC', async () => {
    const { format, samples } = await open({ 'a.jpg': '', 'a.xml': voc([['car', 1, 2, 3, 4]]), 'x.json': '{"images": [' });
    expect(format).toBe('voc');
    expect(samples).toHaveLength(1);
  });
});

describe('Gen1', () => {
  const at = (timeUs: number, label: number): TruthBox => ({ timeUs, box: [10, 20, 30, 50], class: label, name: undefined });
  const boxes = new Uint8Array(writeGen1Boxes([at(500_000, 1), at(250_000, 0), at(500_000, 0)]));

  it('a time with labels is a sample', async () => {
    const { format, classNames, samples } = await open({ 'g/x_td.dat': '', 'g/x_bbox.npy': boxes });
    expect({ format, classNames }).toEqual({ format: 'gen1', classNames: ['car', 'pedestrian'] });
    expect(samples.map((sample) => [sample.content.kind === 'events' && sample.content.untilUs, sample.labelsOn(size).map((label) => label.class)])).toEqual([
      [250_000, [0]],
      [500_000, [1, 0]],
    ]);
    expect(new Set(samples.map(({ id }) => id)).size).toBe(2);
  });

  it('classes.json names other classes; what lacks its half is named', async () => {
    const { classNames, problems } = await open({ 'x_td.dat': '', 'x_bbox.npy': boxes, 'y_bbox.npy': boxes, 'z_td.dat': '', 'z_bbox.npy': 'nothing', 'classes.json': '["0", "1"]' });
    expect(classNames).toEqual(['0', '1']);
    expect(problems.map(({ path }) => path)).toEqual(['y_bbox.npy', 'z_bbox.npy']);
  });
});

describe('what is no data set', () => {
  it('is told what was looked for and what is there', async () => {
    await expect(open({ 'a.jpg': '', 'b.csv': '', 'c.csv': '' })).rejects.toMatchObject({
      code: 'dataset/unknown',
      message: expect.stringMatching(/Gen1.*COCO.*VOC.*YOLO.*3 files: 2 \.csv, 1 \.jpg/) as unknown,
    });
    await expect(open({})).rejects.toMatchObject({ code: 'dataset/unknown' });
    await expect(open({ 'a.jpg': '', 'a.xml': voc([['car', 1, 2, 3, 4]]) }, { format: 'coco' })).rejects.toMatchObject({ code: 'dataset/unknown' });
    await expect(open({ 'a.jpg': '', 'a.xml': voc([]) }, { part: 'test' })).rejects.toMatchObject({ code: 'dataset/unknown' });
    await expect(open({ 'a.jpg': '', 'a.xml': '<annotation><object/></annotation>' })).rejects.toMatchObject({ code: 'dataset/unreadable' });
  });

  it('never fails otherwise, whatever a file holds', async () => {
    const paths = fc.constantFrom('a.jpg', 'images/a.jpg', 'labels/a.txt', 'a.txt', 'a.xml', 'annotations/a.json', 'data.yaml', 'a_td.dat', 'a_bbox.npy', 'classes.json', 'ImageSets/Main/train.txt');
    const contents = fc.oneof(
      fc.string(),
      fc.json(),
      fc.constant(voc([['x', 1, 2, 3, 4]])),
      fc.constant('0 0.5 0.5 0.1 0.1'),
      fc.constant('names: [a]'),
      fc.constant('names: {x: a, -1: b, 99999999999: c}\ntrain: {}'),
      fc.constant('{"images":[{"id":1,"file_name":"a.jpg"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[1,2,3,4]}],"categories":[{"id":1,"name":"x"}]}'),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array([...boxesHead, ...bytes])),
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(paths, contents, { maxKeys: 8 }), async (tree) => {
        const outcome = await open(tree).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: expect.stringMatching(/^dataset\//) as unknown });
        else for (const sample of (outcome as Awaited<ReturnType<typeof open>>).samples) sample.labelsOn(size);
      }),
      { numRuns: 300 },
    );
  });
});

const boxesHead = writeGen1Boxes([]).slice(0, 60);

describe('limit, rubbish and zips', () => {
  it('the first in order of names', async () => {
    const { samples } = await open({ 'b.jpg': '', 'b.xml': voc([]), 'a.jpg': '', 'a.xml': voc([]), '__MACOSX/._a.jpg': '', '.DS_Store': '' }, { limit: 1 });
    expect(samples.map(({ title }) => title)).toEqual(['a.jpg']);
  });

  it('a zip is a folder', async () => {
    const writer = new ZipWriter(new BlobWriter(), { useWebWorkers: false });
    await writer.add('set/a.jpg', new TextReader('the picture'), { level: 0 });
    await writer.add('set/a.xml', new TextReader(voc([['car', 1, 2, 3, 4]])));
    const zip = await writer.close();
    const { samples } = await openDataset(await filesOfZip('set.zip', zip), {}, quietTask);
    expect(await (await samples[0]?.content.file.open())?.text()).toBe('the picture');
    expect(samples[0]?.labelsOn(size)).toHaveLength(1);
    await expect(filesOfZip('set.zip', new Blob(['no zip at all']))).rejects.toMatchObject({ code: 'dataset/unreadable' });
    const bytes = new Uint8Array(await zip.arrayBuffer());
    // A bit of the picture's content is flipped: the entry is refused, not handed on.
    const at = new TextDecoder('latin1').decode(bytes).indexOf('the picture');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    const damaged = await filesOfZip('set.zip', new Blob([bytes]));
    await expect(damaged[0]?.open()).rejects.toMatchObject({ code: 'dataset/unreadable' });
  });
});

it('parts have many names', () => {
  expect(['instances_train2017.json', 'val', 'validation', 'test', 'instances_default.json', 'retrained'].map(partNamed)).toEqual(['train', 'val', 'val', 'test', undefined, undefined]);
  expect(partsOfPath('images/val2017/train.jpg')).toEqual(['val']);
  expect(partsOfPath('trains/a.jpg')).toEqual([]);
});

describe('classes', () => {
  const yolo = (...classNames: string[]) => ({ format: 'yolo' as const, classNames });
  it('match by name, in any case of letters', () => {
    expect(matchClasses(yolo('platelets', 'WBC', 'dog'), ['RBC', 'WBC', 'Platelets'])).toEqual({ toNetwork: [2, 1, undefined], by: 'name', unknown: ['dog'] });
  });
  it('match by order where no name does', () => {
    expect(matchClasses(yolo('x', 'y', 'z'), ['class 0', 'class 1'])).toEqual({ toNetwork: [0, 1, undefined], by: 'order', unknown: ['z'] });
  });
  it('VOC’s have names only', () => {
    expect(() => matchClasses({ format: 'voc', classNames: ['x'] }, ['RBC'])).toThrowError(expect.objectContaining({ code: 'dataset/other-classes' }));
  });
});

describe('real sets', () => {
  const folder = (name: string): DatasetFile[] =>
    readdirSync(resolve(sharedDataFolder, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => ({ path: `${entry.parentPath}/${entry.name}`.slice(resolve(sharedDataFolder, name).length), open: () => openAsBlob(`${entry.parentPath}/${entry.name}`) }));

  it.each([
    { name: 'bccd', format: 'voc', samples: 292, labels: 3941, classNames: ['Platelets', 'RBC', 'WBC'] },
    { name: 'cards', format: 'voc', samples: 296, labels: undefined, classNames: ['ace', 'jack', 'king', 'nine', 'queen', 'ten'] },
    { name: 'photos', format: 'yolo', samples: 53, labels: undefined, classNames: undefined },
    { name: 'events/gen1_layout', format: 'gen1', samples: 3, labels: 4, classNames: ['car', 'pedestrian'] },
  ])('$name', async ({ name, format, samples, labels, classNames }) => {
    if (!isPresent(resolve(sharedDataFolder, name), `Reading ${name}`)) return;
    const set = await openDataset(folder(name), {}, quietTask);
    expect(set).toMatchObject({ format, problems: [] });
    expect(set.samples).toHaveLength(samples);
    if (classNames) expect(set.classNames).toEqual(classNames);
    else expect(set.classNames).toHaveLength(80);
    const all = set.samples.reduce((sum, sample) => sum + sample.labelsOn({ width: 640, height: 480 }).length, 0);
    if (labels !== undefined) expect(all).toBe(labels);
    expect(all).toBeGreaterThan(0);
  });
});
