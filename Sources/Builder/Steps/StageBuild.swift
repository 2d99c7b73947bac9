import Containers
import Dockerfiles
import Glibc
import Images
import Linux
import OCI
import SystemPackage

/// One stage, built step by step.
///
/// Each step has a key: the digest of all that it depends on. What was made under that key before is taken as it is.
final class StageBuild {
    let build: BuildSurroundings
    let stage: Stage
    /// Results of the stages before, by number.
    let stages: [Int: BuildState]
    var state: BuildState
    var variables: Variables
    /// Whether this stage has said what to run, and not the image that it begins with.
    var hasCommand = false
    let global: GlobalScope
    let stageNumber: Int
    /// How many steps there are, and which is being done, from 1.
    private let count: Int
    private var number = 1
    /// Of progress lines.
    private let label: String

    init(
        _ stage: Stage, number: Int, from base: BuildState, stages: [Int: BuildState], _ global: GlobalScope,
        in build: BuildSurroundings
    ) {
        self.global = global
        stageNumber = number
        self.build = build
        self.stage = stage
        self.stages = stages
        state = base
        count = stage.statements.count + 1
        label = build.dockerfile.stages.count > 1 ? "\(stage.name ?? "stage \(number)") " : ""
        variables = Variables(scope: global, environment: (base.execution.env ?? []).map { Assignment($0) })
        // A stage begins with the arguments of the one that it is based on.
        variables.apply(.arg(base.arguments.map { Argument(name: $0.name, value: $0.value) }))
    }

    /// Does all steps.
    func run() throws -> BuildState {
        build.progress.note("[\(label)1/\(count)] FROM \(stage.base)")
        // What the base image left for whoever builds on it is done first, and is not inherited.
        let triggers = state.execution.onBuild ?? []
        state.execution.onBuild = nil
        for text in triggers {
            try perform(try Dockerfile.parseTrigger(text, name: "ONBUILD of \(stage.base)", place: stage.place))
        }
        for statement in stage.statements {
            number += 1
            try perform(statement)
        }
        state.arguments = variables.arguments.compactMap { name in
            variables[name].map { BuildState.Argument(name: name, value: $0) }
        }
        return state
    }

    /// - Throws: With the place, where the instruction itself is wrong or fails.
    private func perform(_ statement: Statement) throws {
        let expanded = try build.dockerfile.expanded(statement, in: variables).instruction
        do {
            try step(expanded, statement)
            variables.apply(expanded)
        } catch let failure as Failure {
            throw located(failure, statement)
        }
    }

    private func located(_ failure: Failure, _ statement: Statement) -> BuildError {
        let line = statement.place.lines.lowerBound
        let lines = build.dockerfile.lines
        return BuildError(
            place: DockerfileError(
                file: build.dockerfile.name, line: line, column: statement.place.column, what: "\(failure)",
                source: lines.indices.contains(line - 1) ? lines[line - 1] : nil),
            exitCode: failure.exitCode)
    }

    private func step(_ instruction: Instruction, _ statement: Statement) throws {
        switch instruction {
        case .run(let instruction): try run(instruction, statement)
        case .copy(let instruction): try copy(instruction, statement, isAdd: false)
        case .add(let instruction): try copy(instruction, statement, isAdd: true)
        case .workdir(let path): try workdir(path)
        case .arg(let arguments): try declare(arguments)
        default: try configure(instruction)
        }
    }

    // MARK: Parts of steps

    func progressStep(_ text: String) -> BuildProgress.Step {
        BuildProgress.Step(mark: "[\(label)\(number)/\(count)]", text: text)
    }

    /// What was made under a key before.
    func cached(_ key: Digest) -> BuildRecord? {
        if build.options.ignoresCache { return nil }
        guard let record = build.images.buildRecord(key) else { return nil }
        // With a layer that another build's end may not take away before this one has named its image.
        build.images.touch(record)
        return record
    }

    /// The key of a step that follows what there is.
    func key(_ instruction: String, _ fill: (inout StepKey) throws(Failure) -> Void = { _ in }) throws(Failure)
        -> Digest
    {
        var key = StepKey(after: state.key, instruction)
        if let timestamp = build.options.timestamp { key.add("timestamp", "\(timestamp)") }
        try fill(&key)
        return key.finish()
    }

    /// A step that changes the configuration alone.
    func change(_ text: String, _ change: (inout ImageConfig.Execution) -> Void) throws(Failure) {
        let key = try key(text)
        let step = progressStep(text)
        let known = cached(key)
        let record = known ?? BuildRecord(key: key, step: text, created: build.now, layer: nil)
        if known == nil { try build.images.save(record) }
        build.progress.begin(step)
        change(&state.execution)
        state.add(record)
    }

    /// A step that changes files.
    ///
    /// - Parameter make: Called unless it was done before; makes the upper directory into a record.
    func changeFiles(
        _ key: Digest, _ history: String, shown text: String, _ make: (StepRecorder) throws -> Void
    ) throws {
        let step = progressStep(text)
        if let record = cached(key) {
            build.progress.cached(step)
            state.add(record)
            return
        }
        build.progress.begin(step)
        let recorder = StepRecorder(
            images: build.images, containers: build.containers, key: key, history: history, created: build.now,
            parent: state.chains.last, latest: build.options.timestamp)
        try make(recorder)
        guard let record = recorder.record else {
            throw Failure("build", text, "the step's layer is not in the store")
        }
        state.add(record)
        build.progress.end(step)
    }

    /// What a container of a step has in common with all others.
    func stepConfig(_ command: [String]) -> ContainerConfig {
        let image = ImageRoot(reference: "step \(number) of a build", layers: state.layerNames)
        var config = ContainerConfig(root: .image(image))
        config.command = command
        config.removeAtEnd = true
        return config
    }
}

/// Makes a layer and a record of what a step has changed.
final class StepRecorder {
    private let images: ImageStore
    private let containers: ContainerStore
    private let key: Digest
    private let history: String
    private let created: String
    private let parent: Digest?
    private let latest: Int64?
    private(set) var record: BuildRecord?

    init(
        images: ImageStore, containers: ContainerStore, key: Digest, history: String, created: String, parent: Digest?,
        latest: Int64?
    ) {
        self.images = images
        self.containers = containers
        self.key = key
        self.history = history
        self.created = created
        self.parent = parent
        self.latest = latest
    }

    /// Takes the upper directory of the step's container.
    func take(_ upper: String, stubs: [String] = []) throws(Failure) {
        let (images, key, history, created) = (images, key, history, created)
        let directory = UpperDirectory(path: upper, parent: parent, stubs: stubs, latest: latest)
        let json = try containers.asOwnerOfImages { () throws(Failure) in
            let layer = try images.storeUpper(directory)
            let record = BuildRecord(key: key, step: history, created: created, layer: layer?.0)
            // Recorded while the layer is held: from then on it stays.
            try images.save(record)
            withExtendedLifetime(layer) {}
            return record.json()
        }
        do throws(SpecError) {
            record = try BuildRecord(json: json)
        } catch {
            throw Failure("record step", history, "\(error)")
        }
    }
}

/// What failed, and in which line of which Dockerfile.
public struct BuildError: Error, CustomStringConvertible {
    public let place: DockerfileError
    public let exitCode: Int32

    public var description: String { place.description }
}

extension Assignment {
    /// Of `NAME=value`.
    init(_ variable: String) {
        let name = variable.utf8.prefix { $0 != UInt8(ascii: "=") }
        self.init(
            name: String(decoding: name, as: UTF8.self),
            value: String(decoding: variable.utf8.dropFirst(name.count + 1), as: UTF8.self))
    }
}
