import { preferShippedModel } from './models';
import { drawFromSeed, drawnPictures, fetchPicture, remoteCollections, showDrawnPicture, smearModel } from './sources';
import { filmFromSeed, galleryRecordings, openGalleryRecording } from './simulate';

/** Pictures and recordings that a link can name. */
export interface Sample {
  name: string;
  title: string;
  reads: 'pictures' | 'events';
  /** The shipped model that knows what is on it, of pictures. */
  model?: string;
  /** @param prepare what is to happen when it is there, before it is shown */
  open: (prepare?: () => Promise<void>) => Promise<void>;
}

export const gallerySamples: readonly Sample[] = [
  ...drawnPictures.map((picture): Sample => ({
    name: picture.sample, title: picture.title, reads: 'pictures', model: smearModel, open: (prepare) => showDrawnPicture(picture, prepare),
  })),
  ...remoteCollections.flatMap(({ model, pictures }) =>
    pictures.map((picture): Sample => ({ name: picture.sample, title: picture.title, reads: 'pictures', model, open: (prepare) => fetchPicture(picture, prepare) })),
  ),
  ...galleryRecordings.map((recording): Sample => ({ name: recording.sample, title: recording.title, reads: 'events', open: () => openGalleryRecording(recording) })),
];

/** As a person asks for it: with the model for it, unless one of their own is loaded. A link says itself which model it wants. */
export async function chooseSample(name: string): Promise<void> {
  const sample = findSample(name);
  const { model } = sample ?? {};
  await sample?.open(model === undefined ? undefined : () => preferShippedModel(model));
}

/** One of the gallery, or one that its seed draws or films again. */
export function findSample(name: string): Sample | undefined {
  const known = gallerySamples.find((sample) => sample.name === name);
  if (known) return known;
  const [, kind, digits = ''] = /^(drawn|film-digits|film-road)-(\d{1,9})$/.exec(name) ?? [];
  const seed = Number(digits);
  if (kind === undefined) return undefined;
  return kind === 'drawn'
    ? { name, title: `Drawn smear ${seed}`, reads: 'pictures', open: () => drawFromSeed(seed) }
    : { name, title: `Film ${seed}`, reads: 'events', open: () => filmFromSeed(kind === 'film-road' ? 'road' : 'digits', seed) };
}
