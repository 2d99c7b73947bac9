import OCI

/// Programs of the engine's: config.md, "POSIX-platform Hooks".
extension SpecCheck {
    func checkHooks(_ hooks: Spec.Hooks) throws(SpecError) {
        let points: [(name: String, hooks: [Spec.Hook]?)] = [
            ("prestart", hooks.prestart), ("createRuntime", hooks.createRuntime),
            ("createContainer", hooks.createContainer), ("startContainer", hooks.startContainer),
            ("poststart", hooks.poststart), ("poststop", hooks.poststop),
        ]
        for (name, hooks) in points {
            for (index, hook) in (hooks ?? []).enumerated() {
                let place = "hooks.\(name)[\(index)]"
                guard Self.isAbsolute(hook.path) else {
                    return try refuse("\(place).path", "'\(hook.path)' is not an absolute path")
                }
                if let timeout = hook.timeout, timeout <= 0 {
                    try refuse("\(place).timeout", "\(timeout) is not a number of seconds above 0")
                }
            }
        }
    }
}
