import type { TestPrometheus } from '../../prometheus/prometheus.ts';

/** In its own numbers: samples that it gave up, and samples that it sent again. */
export async function countsOf(prometheus: TestPrometheus): Promise<{ failed: number; retried: number }> {
  const failed = await prometheus.metric('prometheus_remote_storage_samples_failed_total');
  return { failed, retried: await prometheus.metric('prometheus_remote_storage_samples_retried_total') };
}
