import { Component, type ReactNode } from 'react';

/** A view that fails takes the page's place with a sentence, not with nothing. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div className="page-failed" role="alert">
        <h1>The page stopped working.</h1>
        <p>A part of it failed in a way that was not foreseen. Your files are untouched. Reload the page to start again.</p>
        <button type="button" onClick={() => window.location.reload()}>
          Reload
        </button>
      </div>
    );
  }
}
