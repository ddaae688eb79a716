import { ProgressBar } from 'react-aria-components';
import { usePlayground, type Activity } from '../state/store';
import { Button } from '../ui/controls';

/** What is under way, with its total, and a way to stop it. */
export function Activities() {
  const activities = usePlayground((state) => state.activities);
  const entries = Object.entries(activities);
  return (
    <div className="activities" aria-live="polite">
      {entries.map(([name, activity]) => (
        <ActivityRow key={name} activity={activity} />
      ))}
    </div>
  );
}

function ActivityRow({ activity: { progress, cancel } }: { activity: Activity }) {
  const { label, done, total, unit } = progress;
  const share = total ? (done / total) * 100 : undefined;
  const amount = unit === 'bytes' && total ? ` ${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB` : '';
  return (
    <div className="activity">
      <ProgressBar className="activity-progress" aria-label={label} value={share ?? 0} isIndeterminate={share === undefined}>
        <span className="activity-label">
          {label}
          {amount}
        </span>
        <span className="activity-track">
          <span className="activity-fill" data-indeterminate={share === undefined || undefined} style={{ width: `${share ?? 30}%` }} />
        </span>
      </ProgressBar>
      <Button look="quiet" onPress={cancel}>
        Cancel
      </Button>
    </div>
  );
}
