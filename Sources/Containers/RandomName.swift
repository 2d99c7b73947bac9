/// Names for containers whose user gave none.
enum RandomName {
    /// `swift_heron`, and with a number behind it once many are taken.
    static func make(attempt: Int) -> String {
        let name = "\(adjectives.randomElement() ?? "quick")_\(birds.randomElement() ?? "swift")"
        return attempt < 3 ? name : "\(name)\(UInt16.random(in: 0...UInt16.max))"
    }

    private static let adjectives = [
        "agile", "airy", "alert", "amber", "ample", "azure", "bold", "brave", "breezy", "bright", "brisk", "calm",
        "candid", "clear", "clever", "crisp", "daring", "deft", "eager", "early", "fair", "fleet", "fond", "free",
        "fresh", "gentle", "glad", "golden", "grand", "happy", "hardy", "honest", "jolly", "keen", "kind", "light",
        "lively", "lofty", "lucid", "lucky", "merry", "mild", "neat", "nimble", "noble", "patient", "placid", "plucky",
        "proud", "quick", "quiet", "rapid", "ready", "serene", "sharp", "silent", "silver", "sleek", "smart", "snowy",
        "solid", "spry", "steady", "sunny", "sure", "swift", "tidy", "tranquil", "trusty", "vivid", "warm", "wise",
    ]

    private static let birds = [
        "avocet", "bittern", "bunting", "buzzard", "chough", "coot", "cormorant", "crane", "curlew", "dipper",
        "dotterel",
        "dove", "dunlin", "egret", "eider", "falcon", "finch", "fulmar", "gannet", "godwit", "goshawk", "grebe",
        "grouse",
        "harrier", "hawk", "heron", "hobby", "hoopoe", "ibis", "jackdaw", "jay", "kestrel", "kingfisher", "kite",
        "knot",
        "lapwing", "lark", "linnet", "magpie", "martin", "merlin", "nightjar", "nuthatch", "oriole", "osprey", "ouzel",
        "owl", "petrel", "pipit", "plover", "puffin", "quail", "raven", "redstart", "robin", "ruff", "sanderling",
        "shrike", "siskin", "skua", "snipe", "starling", "stint", "stork", "swallow", "swan", "tern", "thrush",
        "treecreeper",
        "turnstone", "wagtail", "warbler", "waxwing", "wheatear", "whimbrel", "wren", "wryneck", "yellowhammer",
    ]
}
