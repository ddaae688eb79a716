import { filesOfZip, type DatasetFile } from '../evaluate/datasets/files';
import type { DatasetContent } from './protocol';

/** The files of a data set that a person opened. @throws AppError `dataset/unreadable` */
export async function filesOf(content: DatasetContent): Promise<DatasetFile[]> {
  if (content.kind === 'zip') return filesOfZip(content.name, content.blob);
  return content.files.map(({ path, blob }) => ({ path, open: () => Promise.resolve(blob) }));
}
