import CLinux
import Containers
import Dockerfiles
import Glibc
public import Images
public import Linux
import OCI
import SystemPackage

/// From a Dockerfile to an image: the stages that the wanted one needs, each as soon as those before it are done, and
/// those that do not need each other at once, each in a process of its own.
public struct Build {
    private let surroundings: BuildSurroundings
    private let global: GlobalScope
    private let plan: StagePlan

    private var dockerfile: Dockerfile { surroundings.dockerfile }

    /// - Throws: For what the Dockerfile itself makes impossible.
    public init(_ surroundings: BuildSurroundings) throws {
        self.surroundings = surroundings
        let options = surroundings.options
        let (host, target) = (Platform.host, options.platform)
        global = try surroundings.dockerfile.globalScope(
            given: Dictionary(options.arguments.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }),
            predefined: GlobalScope.predefined(
                build: .init(os: host.os, architecture: host.architecture, variant: host.variant),
                target: .init(os: target.os, architecture: target.architecture, variant: target.variant),
                stage: options.target))
        plan = try StagePlan(surroundings.dockerfile, global, surroundings.options)
    }

    /// Builds all that is needed.
    ///
    /// - Returns: The wanted stage as it is at its end.
    public func run() throws -> BuildState {
        guard plan.needed.count > 1 else { return try build(plan.target, [:]) }
        return try StageProcesses(plan: plan) { number, done in try build(number, done) }.run()
    }

    private func build(_ number: Int, _ done: [Int: BuildState]) throws -> BuildState {
        let stage = dockerfile.stages[number]
        let base = try base(of: number, done)
        return try StageBuild(stage, number: number, from: base, stages: done, global, in: surroundings).run()
    }

    private func base(of number: Int, _ done: [Int: BuildState]) throws -> BuildState {
        if let before = plan.bases[number], let state = done[before] { return state }
        let expanded = try dockerfile.base(of: dockerfile.stages[number], in: global)
        let platform =
            try expanded.platform.map { text throws(Failure) in try Platform(text) }
            ?? surroundings.options.platform
        if expanded.name == "scratch" {
            let config = ImageConfig(platform: platform, config: ImageConfig.Execution())
            return BuildState(
                config: config, layers: [], chains: [], key: Digest.of(Array("scratch \(platform)".utf8)))
        }
        var name = expanded.name
        if case .image(let reference) = surroundings.options.contexts[name] { name = reference }
        let images = surroundings.images
        let image = try surroundings.findImage(name, platform)
        return BuildState(
            config: try images.config(of: image), layers: try images.layers(of: image), chains: image.layers,
            key: image.id)
    }

    /// Gives the wanted stage its names.
    public func name(_ state: BuildState, as names: [ImageReference]) throws(Failure) -> ImageRecord {
        var state = state
        let options = surroundings.options
        if !options.labels.isEmpty {
            var labels = state.execution.labels ?? [:]
            for (name, value) in options.labels { labels[name] = value }
            state.execution.labels = labels
        }
        if options.timestamp != nil { state.config.created = surroundings.now }
        return try surroundings.images.nameBuilt(
            state.config, layers: state.layers, chains: state.chains, as: names)
    }
}

/// Which stages are needed, and which before which.
struct StagePlan {
    let target: Int
    /// The stages that each is based on, if that is no image.
    private(set) var bases: [Int: Int] = [:]
    /// The stages that each needs.
    private(set) var needs: [Int: Set<Int>] = [:]
    /// All that the target needs, and itself.
    let needed: [Int]

    init(_ dockerfile: Dockerfile, _ global: GlobalScope, _ options: BuildOptions) throws(DockerfileError) {
        let contexts = Set(options.contexts.keys)
        target = try dockerfile.stageIndex(of: options.target)
        needed = try dockerfile.stages(neededFor: options.target, in: global, contexts: contexts)
        for number in needed {
            let stage = dockerfile.stages[number]
            var mine: Set<Int> = []
            let name = try dockerfile.base(of: stage, in: global).name
            if case .stage(let base) = dockerfile.source(ofBase: name, at: number, contexts: contexts) {
                bases[number] = base
                mine.insert(base)
            }
            for statement in stage.statements {
                for name in statement.instruction.references {
                    let source = try dockerfile.source(
                        ofReference: name, at: number, contexts: contexts, place: statement.place)
                    if case .stage(let other) = source { mine.insert(other) }
                }
            }
            needs[number] = mine
        }
    }
}
