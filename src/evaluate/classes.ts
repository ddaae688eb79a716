import { AppError } from '../base/errors';
import type { DatasetFormat } from '../base/datasetOptions';

/** Which class of a network a data set's class is. */
export interface ClassMatch {
  /** For each class of the data set, the network's; undefined where the network knows none such. */
  toNetwork: readonly (number | undefined)[];
  by: 'name' | 'order';
  /** Classes of the data set that the network does not know: their labels are left out. */
  unknown: readonly string[];
}

/**
 * By name, in any case of letters; where no name is common to both, by order (VOC has no order: its labels hold names).
 * @throws AppError `dataset/other-classes` where nothing matches
 */
export function matchClasses({ format, classNames }: { format: DatasetFormat; classNames: readonly string[] }, networkNames: readonly string[]): ClassMatch {
  const byName = classNames.map((name) => indexOfName(networkNames, name));
  if (byName.some((index) => index !== undefined)) return matchOf(byName, 'name', classNames);
  if (format !== 'voc' && classNames.length > 0) {
    const byOrder = classNames.map((_, index) => (index < networkNames.length ? index : undefined));
    return matchOf(byOrder, 'order', classNames);
  }
  throw new AppError(
    'dataset/other-classes',
    `The data set’s classes (${listed(classNames)}) are none of the network’s (${listed(networkNames)}).`,
    'Choose a network that was trained for these classes, or rename the labels.',
  );
}

function indexOfName(names: readonly string[], wanted: string): number | undefined {
  const exact = names.indexOf(wanted);
  if (exact >= 0) return exact;
  const bare = (name: string): string => name.trim().toLowerCase();
  const alike = names.findIndex((name) => bare(name) === bare(wanted));
  return alike >= 0 ? alike : undefined;
}

function matchOf(toNetwork: (number | undefined)[], by: ClassMatch['by'], classNames: readonly string[]): ClassMatch {
  return { toNetwork, by, unknown: classNames.filter((_, index) => toNetwork[index] === undefined) };
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.length > 6 ? `${names.slice(0, 5).join(', ')} and ${names.length - 5} more` : names.join(', ');
}
