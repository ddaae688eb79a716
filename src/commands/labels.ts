import { AppError } from '../base/errors';
import type { Size } from '../base/geometry';
import { z } from '../base/schema';
import { engine } from '../state/engine';
import { setView, usePlayground, type PlaygroundState, type RecordingState, type TruthBox } from '../state/store';
import { tellError, underWay } from './work';

/** What is known to be there: drawn by this program, or in files of labels. */

const side = z.number();
const gallerySchema = z.array(
  z.object({
    timeUs: z.number().optional(),
    box: z.tuple([side, side, side, side]),
    class: z.int().optional(),
    name: z.string().optional(),
  }),
);

/** The boxes that lie beside a picture or recording of the gallery. */
export function readGalleryLabels(json: unknown): TruthBox[] {
  return gallerySchema.parse(json).map(({ timeUs, box, class: label, name }) => ({ timeUs, box, class: label, name }));
}

/** The labels of the picture, or of the window of the recording, that is shown. */
export function knownLabels({ recording, source }: Pick<PlaygroundState, 'recording' | 'source'>): readonly TruthBox[] {
  if (recording) return truthInWindow(recording);
  return source?.kind === 'picture' ? source.truth : [];
}

/** What is under the end of a recording's window: the labels given then, or throughout. */
function truthInWindow({ truth, fromUs, settings }: RecordingState): TruthBox[] {
  const toUs = fromUs + settings.windowUs;
  const timed = truth.filter(({ timeUs }) => timeUs !== undefined && timeUs > fromUs && timeUs <= toUs);
  const lastUs = Math.max(...timed.map(({ timeUs }) => timeUs ?? 0));
  return truth.filter(({ timeUs }) => timeUs === undefined || (timed.length > 0 && timeUs === lastUs));
}

/** Files give a name, a number, or both. */
export function labelName({ name, class: label }: TruthBox, classNames: readonly string[] | undefined): string {
  return name ?? classNames?.[label ?? -1] ?? `class ${label ?? '?'}`;
}

/** Boxes from files, all of them or none. */
export function readLabels(files: readonly File[], sensor: Size): Promise<TruthBox[] | undefined> {
  return underWay('labels', 'Reading the boxes', async (task) => {
    const boxes: TruthBox[] = [];
    for (const file of files) boxes.push(...(await engine.request('readTruth', { name: file.name, blob: file, sensor }, task)));
    return boxes;
  });
}

/** Boxes from files beside the picture that is shown; a person who brings labels wants to see them. */
export async function openPictureLabels(files: readonly File[]): Promise<void> {
  const { source } = usePlayground.getState();
  if (source?.kind !== 'picture') {
    tellError(new AppError('input/unsupported', 'Boxes were opened, and there is nothing that they belong to.', 'Open the picture or recording first, or both at once.'));
    return;
  }
  const truth = await readLabels(files, source.size);
  if (!truth) return;
  usePlayground.setState(({ source: now }) => (now?.kind === 'picture' && now.id === source.id ? { source: { ...now, truth } } : {}));
  setView({ labels: true });
}
