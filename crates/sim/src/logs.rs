//! What the components of a deployment have written, and when it can be had.

use crate::clock::{later, rfc3339_nanos};
use crate::deployment::{Deployment, JobRun, Leaf};
use crate::knobs::{Knobs, LogArchive, seconds};
use crate::spec::component;
use jiff::Timestamp;

/// The types of log that a component can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogType {
    Build,
    Deploy,
    Run,
    RunRestarted,
}

impl LogType {
    /// Reads the `type` of a log request.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "BUILD" => Some(Self::Build),
            "DEPLOY" => Some(Self::Deploy),
            "RUN" => Some(Self::Run),
            "RUN_RESTARTED" => Some(Self::RunRestarted),
            _ => None,
        }
    }

    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Deploy => "deploy",
            Self::Run => "run",
            Self::RunRestarted => "run_restarted",
        }
    }

    pub(crate) fn of_slug(slug: &str) -> Option<Self> {
        [Self::Build, Self::Deploy, Self::Run, Self::RunRestarted]
            .into_iter()
            .find(|each| each.slug() == slug)
    }
}

/// The log of one component, or of all.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// Whether any component in question got as far as having one.
    pub(crate) reached: bool,
    /// Whether any of it is archived.
    pub(crate) archived: bool,
    /// The lines by their time.
    lines: Vec<(Timestamp, String)>,
}

impl Log {
    /// Returns the log of a component (of all where none is named) as of a time.
    pub(crate) fn of(
        deployment: &Deployment,
        name: Option<&str>,
        kind: LogType,
        now: Timestamp,
        knobs: &Knobs,
    ) -> Self {
        let mut log = Self::default();
        let wanted = |component: &str| name.is_none_or(|name| name == component);
        match kind {
            LogType::Build => {
                for build in deployment
                    .builds
                    .iter()
                    .filter(|build| wanted(&build.component))
                {
                    let end = match (build.leaf.remark, &build.leaf.failure) {
                        (_, Some(_)) => {
                            "build failed: the build command exited with a non-zero exit code"
                        }
                        (Some("PreviousBuildReused"), None) => "reusing the previous build",
                        (Some(_), None) => "using the image as it is",
                        (None, None) => "build complete",
                    };
                    log.add_step(
                        &build.component,
                        &build.leaf,
                        ["starting build", end],
                        deployment.seen_at(now),
                        now,
                        knobs,
                    );
                }
            }
            LogType::Deploy => {
                for rollout in deployment
                    .rollouts
                    .iter()
                    .filter(|rollout| wanted(&rollout.component))
                {
                    let leaf = Leaf {
                        start: rollout.deploy.start,
                        ..rollout.wait.clone()
                    };
                    let end = match leaf.failure {
                        Some(_) => {
                            "ERROR failed health checks after 9 attempts with error Readiness probe failed"
                        }
                        None => "container is healthy",
                    };
                    log.add_step(
                        &rollout.component,
                        &leaf,
                        ["starting container", end],
                        deployment.seen_at(now),
                        now,
                        knobs,
                    );
                }
                for job in deployment.jobs.iter().filter(|job| wanted(&job.name)) {
                    log.add_job(job, now, knobs);
                }
            }
            LogType::Run | LogType::RunRestarted => {
                let running = deployment
                    .rollouts
                    .iter()
                    .filter(|rollout| wanted(&rollout.component));
                log.reached = running
                    .clone()
                    .any(|rollout| rollout.deploy.start.is_some_and(|start| start <= now));
            }
        }
        log.lines.sort_by_key(|(time, _)| *time);
        log
    }

    /// Returns the text as the platform stores it: `<component> <time> <message>` per line.
    pub(crate) fn text(&self) -> String {
        self.lines
            .iter()
            .map(|(_, line)| format!("{line}\n"))
            .collect()
    }

    fn add_step(
        &mut self,
        component: &str,
        leaf: &Leaf,
        [first, last]: [&str; 2],
        seen: Timestamp,
        now: Timestamp,
        knobs: &Knobs,
    ) {
        let Some(start) = leaf.start.filter(|start| *start <= seen) else {
            return;
        };
        self.reached = true;
        self.push(component, start, first);
        if let Some(end) = leaf.end.filter(|end| *end <= seen) {
            self.push(component, end, last);
        }
        self.note_archive(start, leaf.end.map(|end| end.min(seen)), now, knobs);
    }

    fn add_job(&mut self, job: &JobRun, now: Timestamp, knobs: &Knobs) {
        let Some(start) = job.process_at.filter(|start| *start <= now) else {
            return;
        };
        self.reached = true;
        for (time, line) in job.written(now) {
            self.push(&job.name, *time, line);
        }
        self.note_archive(start, job.cancelled_at.or(job.leaf.end), now, knobs);
    }

    fn note_archive(
        &mut self,
        start: Timestamp,
        end: Option<Timestamp>,
        now: Timestamp,
        knobs: &Knobs,
    ) {
        let from = match knobs.log_archive {
            LogArchive::WhileRunning => Some(start),
            LogArchive::AfterEnd => end,
        };
        let delay = seconds(knobs.log_delay_seconds);
        self.archived |= from.is_some_and(|from| later(from, delay) <= now);
    }

    fn push(&mut self, component: &str, time: Timestamp, message: &str) {
        self.lines.push((
            time,
            format!("{component} {} {message}", rfc3339_nanos(time)),
        ));
    }
}

/// Cuts a text into parts at its lines, as evenly as they allow; a part can be empty.
pub(crate) fn part(text: &str, number: usize, of: usize) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let of = of.max(1);
    let size = lines.len().div_ceil(of).max(1);
    lines
        .into_iter()
        .skip(number.saturating_mul(size))
        .take(size)
        .collect()
}

/// Tells whether a deployment has a component of that name.
pub(crate) fn has_component(deployment: &Deployment, name: &str) -> bool {
    component(&deployment.spec, name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_log_make_the_whole() {
        let text = "a\nb\nc\nd\ne\n";
        for of in 1..8 {
            let whole: String = (0..of).map(|number| part(text, number, of)).collect();
            assert_eq!(whole, text, "{of}");
        }
        assert_eq!(part(text, 0, 2), "a\nb\nc\n");
    }
}
