import { usePlayground, type RecordingState } from '../../state/store';
import { formatUs } from './words';

/** What is in the window and in the whole recording, in numbers. */
export function Statistics({ recording: { scanned, settings } }: { recording: RecordingState }) {
  const source = usePlayground((state) => state.source);
  const { summary, finished } = scanned;
  const durationUs = (summary.maxUs ?? 0) - (summary.minUs ?? 0);
  const view = source?.kind === 'events' ? source.view : undefined;
  return (
    <table className="recording-statistics">
      <caption className="visually-hidden">Statistics of the recording</caption>
      <thead>
        <tr>
          <td />
          <th scope="col">window</th>
          <th scope="col">{finished ? 'recording' : 'read so far'}</th>
        </tr>
      </thead>
      <tbody>
        <Row name="events" window={view && count(view.statistics.events)} whole={count(summary.events)} />
        <Row name="duration" window={formatUs(settings.windowUs)} whole={formatUs(durationUs)} />
        <Row name="rate" window={view && rate(view.statistics.events, settings.windowUs)} whole={rate(summary.events, durationUs)} />
        <Row name="ON" window={view && percent(view.statistics.on, view.statistics.events)} whole={percent(summary.on, summary.events)} />
        <Row name="active pixels" window={view && percent(view.statistics.activePixels, view.sensor.width * view.sensor.height)} whole="" />
        <Row
          name="hottest"
          window={view?.statistics.hottest.slice(0, 2).map(({ x, y, events }) => `(${x}, ${y}): ${events}`).join('; ')}
          whole={view && settings.withoutHotPixels ? `${view.hotPixels} left out` : ''}
        />
        {summary.skipped.map(({ kind, words, count: skipped }) => (
          <Row key={kind} name={words} window="" whole={count(skipped)} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ name, window, whole }: { name: string; window: string | undefined; whole: string }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{window ?? '…'}</td>
      <td>{whole}</td>
    </tr>
  );
}

function count(value: number): string {
  return value.toLocaleString('en');
}

function rate(events: number, us: number): string {
  if (us <= 0) return '…';
  const perSecond = (events / us) * 1e6;
  return perSecond >= 1e6 ? `${(perSecond / 1e6).toFixed(2)} M/s` : `${(perSecond / 1e3).toFixed(1)} k/s`;
}

function percent(part: number, whole: number): string {
  return whole > 0 ? `${((part / whole) * 100).toFixed(1)}%` : '…';
}
