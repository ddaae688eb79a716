import { beforeEach, expect, test, vi } from 'vitest';
import { usePlayground, type RecordingState } from '../state/store';
import { openRecording, stepWindow, toggleRecording } from './recordings';
import { asked, next } from './testing';

vi.mock('../state/engine', () => import('./testing'));

/** There is no model: nothing but windows is asked for. */
vi.mock('./models', () => ({ chooseModelFor: () => Promise.resolve() }));

const sensor = { width: 8, height: 8 };
const about = { title: 'A recording', origin: 'Your file', sample: undefined };
let recordings = 0;

function scannedTo(maxUs: number, finished: boolean): object {
  return { finished, done: maxUs, total: undefined, unit: 'events', format: 'Text', summary: { minUs: 0, maxUs, sensor }, truth: [] };
}

function shown(): RecordingState | undefined {
  return usePlayground.getState().recording;
}

function open(labels: File[] = []): void {
  recordings += 1;
  void openRecording({ kind: 'file', id: `file ${recordings}`, name: 'a.txt', blob: new Blob() }, about, { labels });
}

beforeEach(() => {
  asked.length = 0;
});

test('a recording that is played while it is still being read goes on when more of it has come', async () => {
  open();
  (await next('scanRecording')).answer(scannedTo(100_000, false));
  (await next('viewRecording')).answer({ sensor });
  const scan = await next('scanRecording');
  // The window is longer than what has been read.
  toggleRecording();
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(shown()?.playing).toBe(true);
  scan.answer(scannedTo(1_000_000, true));
  expect((await next('viewRecording')).payload).toMatchObject({ fromUs: 50_000 });
  toggleRecording();
});

test('whoever has moved while the labels beside a recording were read stays there', async () => {
  open([new File([], 'a_bbox.npy')]);
  (await next('scanRecording')).answer(scannedTo(1_000_000, true));
  (await next('viewRecording')).answer({ sensor });
  const labels = await next('readTruth');
  stepWindow(1);
  (await next('viewRecording')).answer({ sensor });
  labels.answer([{ timeUs: 900_000, box: [0, 0, 1, 1], class: 0, name: undefined }]);
  await vi.waitFor(() => expect(shown()?.truth).toHaveLength(1));
  expect(shown()?.fromUs).toBe(50_000);
});

test('labels beside a recording show the window before the first of them to whoever has not moved', async () => {
  open([new File([], 'a_bbox.npy')]);
  (await next('scanRecording')).answer(scannedTo(1_000_000, true));
  (await next('viewRecording')).answer({ sensor });
  (await next('readTruth')).answer([{ timeUs: 900_000, box: [0, 0, 1, 1], class: 0, name: undefined }]);
  expect((await next('viewRecording')).payload).toMatchObject({ fromUs: 650_000 });
});
