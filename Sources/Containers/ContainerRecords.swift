import CLinux
import Cgroups
import Glibc
import Linux
import OCI
import Sandbox
import SystemPackage

/// Writing a container's records when it is made and each time it starts.
extension Container {
    /// The Spec of the container's next start.
    func makeSpec(_ config: ContainerConfig) throws(Failure) -> Spec {
        try Containers.makeSpec(config, facts: HostFacts(id: id, path: path, dataPath: store.path))
    }

    /// The compiled filter that the Spec or the default profile asks for.
    func seccompProgram(_ config: ContainerConfig, _ spec: Spec) throws(Failure) -> BPFProgram? {
        nil
    }

    /// Keeps what the user asked for and what the engine was given.
    func saveDescription(_ config: ContainerConfig, _ spec: Spec) throws(Failure) {
        try save(config, as: "config.json")
        try save(spec, as: "spec.json")
    }

    /// Changes the state record, which is made from `config` when there is none yet.
    func writeState(initial config: ContainerConfig, _ change: (inout ContainerState) throws -> Void) throws {
        guard !directory.has("state.json") else {
            try updateState(change)
            return
        }
        var state = initialState(config)
        try change(&state)
        try save(state, as: "state.json")
    }

    func initialState(_ config: ContainerConfig) -> ContainerState {
        ContainerState(
            id: id, name: config.name, created: .now, image: config.imageText, command: config.command,
            labels: config.labels, autoRemove: config.autoRemove)
    }
}
