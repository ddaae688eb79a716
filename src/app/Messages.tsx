import { dismiss } from '../commands/work';
import { usePlayground } from '../state/store';
import { Button } from '../ui/controls';

/** What went wrong and what to do, in two sentences; the page keeps its last good state underneath. */
export function Messages() {
  const messages = usePlayground((state) => state.messages);
  return (
    <div className="messages" role="log" aria-label="Messages">
      {messages.map(({ id, tone, title, detail, code }) => (
        <div key={id} className={`message message-${tone}`} role={tone === 'error' ? 'alert' : 'status'} data-code={code}>
          <p>
            <strong>{title}</strong> {detail}
          </p>
          <Button look="quiet" aria-label="Dismiss the message" onPress={() => dismiss(id)}>
            ✕
          </Button>
        </div>
      ))}
    </div>
  );
}
