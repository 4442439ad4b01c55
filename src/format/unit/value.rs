//! Puts together the values that have an inner form of their own: assignments, volumes, secrets.

use std::fmt::Display;

/// Returns `name=value`, for `Environment`, `Label`, `Annotation`, `Sysctl`, `Options`.
pub fn assign(name: impl Display, value: impl Display) -> String {
    format!("{name}={value}")
}

/// Returns the value of `Volume`: `source:target` or `source:target:option,option`.
pub fn volume(source: impl Display, target: impl Display, options: &[&str]) -> String {
    if options.is_empty() {
        format!("{source}:{target}")
    } else {
        format!("{source}:{target}:{}", options.join(","))
    }
}

/// Returns the value of `Secret` that gives a Podman secret to the container as an environment variable.
pub fn secret_env(secret: impl Display, variable: impl Display) -> String {
    format!("{secret},type=env,target={variable}")
}

/// Returns the value of `Secret` that mounts a Podman secret as a file, with its owner and mode.
pub fn secret_mount(
    secret: impl Display,
    path: impl Display,
    owner: (u32, u32),
    mode: u16,
) -> String {
    let (uid, gid) = owner;
    format!("{secret},type=mount,target={path},uid={uid},gid={gid},mode={mode:04o}")
}
