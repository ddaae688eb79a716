import { drawFromSeed, drawnPictures, fetchPicture, remotePictures, showDrawnPicture } from './sources';
import { filmFromSeed, galleryRecordings, openGalleryRecording } from './simulate';

/** Pictures and recordings that a link can name. */
export interface Sample {
  name: string;
  title: string;
  reads: 'pictures' | 'events';
  open: () => Promise<void>;
}

export const gallerySamples: readonly Sample[] = [
  ...drawnPictures.map((picture): Sample => ({ name: picture.sample, title: picture.title, reads: 'pictures', open: () => showDrawnPicture(picture) })),
  ...remotePictures.map((picture): Sample => ({ name: picture.sample, title: picture.title, reads: 'pictures', open: () => fetchPicture(picture) })),
  ...galleryRecordings.map((recording): Sample => ({ name: recording.sample, title: recording.title, reads: 'events', open: () => openGalleryRecording(recording) })),
];

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
