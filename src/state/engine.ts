import { EngineClient, type EngineNotice } from '../client/engineClient';
import { startEngineWorker } from '../client/startWorker';
import { tell, usePlayground } from './store';

/** The page's one engine; what it reports by itself goes into the store. */
export const engine = new EngineClient(startEngineWorker, receiveNotice);

function receiveNotice(notice: EngineNotice): void {
  if (notice.kind === 'backend') {
    usePlayground.setState({ backend: notice.choice });
    return;
  }
  if (notice.threads !== undefined) usePlayground.setState({ threads: notice.threads });
  tell({
    tone: 'info',
    title: `The engine stopped (${notice.reason}) and was started again.`,
    detail: notice.movedOn
      ? 'It failed twice on this backend and went on with the next one; what is on the screen is still right.'
      : notice.threads !== undefined
        ? 'It goes on with one thread and repeated the last request; what is on the screen is still right.'
        : 'The model was loaded again and the last request repeated; what is on the screen is still right.',
    code: undefined,
  });
}
