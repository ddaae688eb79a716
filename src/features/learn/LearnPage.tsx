import { GradientPanel } from './GradientPanel';
import { NeuronPanel } from './NeuronPanel';
import './learn.css';

export default function LearnPage() {
  return (
    <main className="other-page">
      <NeuronPanel />
      <GradientPanel />
    </main>
  );
}
