import { lazy, type ComponentType } from 'react';
import type { PageName } from '../state/store';

/** A page beside Detect, loaded when it is first opened: `lazy(() => import('../features/…'))`. */
export interface OtherPage {
  name: Exclude<PageName, 'detect'>;
  title: string;
  Page: ComponentType;
}

/** In the order in which the top bar names them, after Detect. */
export const pages: readonly OtherPage[] = [
  { name: 'evaluate', title: 'Evaluate', Page: lazy(() => import('../features/evaluate/EvaluatePage')) },
  { name: 'train', title: 'Train', Page: lazy(() => import('../features/train/TrainPage')) },
  { name: 'learn', title: 'Learn', Page: lazy(() => import('../features/learn/LearnPage')) },
  { name: 'bench', title: 'Benchmark', Page: lazy(() => import('../features/bench/BenchPage')) },
];

/** All that the top bar names. */
export const allPages: readonly { name: PageName; title: string }[] = [{ name: 'detect', title: 'Detect' }, ...pages];
