"""What the synthetic shop sells: RPC's 17 supercategories, MEP-3M's 26 sub-classes of MEP-for-RPC, and words of our own making.

Sizes are centimetres (width, height, depth). Hues are 0–1 round the colour wheel. The counts and the numbering of the supercategories
are RPC's (its leaderboard's category list); class and sub-class names and ids are MEP-3M's (dataset_info.xlsx of its repository).
Which sub-classes stand for which supercategory is this project's proposal: the published list does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """A package: which solid it is, its size, how it rests and how much it shines."""

    solid: str  # pillow, box, round, tube
    size: tuple[float, float, float]
    profile: str = ""  # the outline of a round solid; "crimp", "zip" or "" for a pillow
    stands: bool = False  # upright on the turntable and, now and then, on the counter
    backs: bool = True  # photographed from the back too, by turning it over
    gloss: float = 0.3  # strength of the highlight, 0–1
    crumple: float = 0.0  # how much the surface is wrinkled, 0–1


FORMS: dict[str, Form] = {
    "bag": Form("pillow", (17, 23, 5.5), "crimp", gloss=0.75, crumple=0.9),
    "long bag": Form("pillow", (24, 16, 5.0), "crimp", gloss=0.7, crumple=0.8),
    "pouch": Form("pillow", (15, 21, 3.0), "zip", gloss=0.6, crumple=0.7),
    "sachet": Form("pillow", (9, 13, 1.2), "crimp", gloss=0.55, crumple=0.5),
    "bar": Form("pillow", (15, 5.2, 2.0), "crimp", gloss=0.7, crumple=0.4),
    "soft pack": Form("pillow", (19, 11, 7.5), "", gloss=0.5, crumple=0.5),
    "small pack": Form("pillow", (7.5, 10.5, 3.0), "", gloss=0.5, crumple=0.3),
    "box": Form("box", (13, 17, 5), stands=True, gloss=0.25),
    "flat box": Form("box", (17, 9, 3.6), gloss=0.25),
    "brick": Form("box", (6.2, 12.5, 4.2), stands=True, backs=False, gloss=0.3),
    "milk carton": Form("box", (7.2, 16, 7.2), "gable", stands=True, backs=False, gloss=0.3),
    "stick": Form("box", (10.5, 3.4, 1.6), gloss=0.35),
    "tube box": Form("box", (20, 4.8, 4.0), gloss=0.35),
    "notebook": Form("box", (14.5, 20, 1.3), gloss=0.15),
    "bottle": Form("round", (6.6, 22, 6.6), "bottle", stands=True, backs=False, gloss=0.6),
    "glass bottle": Form("round", (6.6, 24, 6.6), "long neck", stands=True, backs=False, gloss=0.8),
    "flask": Form("round", (8.8, 18, 5.0), "flask", stands=True, backs=False, gloss=0.8),
    "sauce bottle": Form("round", (6.4, 21, 6.4), "sauce", stands=True, backs=False, gloss=0.7),
    "pump bottle": Form("round", (8.2, 20, 5.6), "shampoo", stands=True, backs=False, gloss=0.5),
    "small bottle": Form("round", (5.4, 10.5, 5.4), "yoghurt", stands=True, backs=False, gloss=0.4),
    "can": Form("round", (6.6, 12.2, 6.6), "can", stands=True, backs=False, gloss=0.7),
    "slim can": Form("round", (5.7, 14.5, 5.7), "can", stands=True, backs=False, gloss=0.7),
    "tin": Form("round", (10, 6.4, 10), "can", stands=True, backs=False, gloss=0.6),
    "oval tin": Form("round", (13.5, 4.2, 8.5), "can", stands=True, backs=False, gloss=0.6),
    "cup": Form("round", (9.4, 11.5, 9.4), "cup", stands=True, backs=False, gloss=0.3),
    "bowl": Form("round", (14.5, 8.5, 14.5), "bowl", stands=True, gloss=0.35),
    "jar": Form("round", (8.4, 11.5, 8.4), "jar", stands=True, backs=False, gloss=0.6),
    "canister": Form("round", (6.2, 9.0, 6.2), "canister", stands=True, backs=False, gloss=0.45),
    "roll pack": Form("round", (11.5, 12.5, 11.5), "roll", stands=True, backs=False, gloss=0.35),
    "candy tube": Form("round", (3.2, 11.5, 3.2), "rod", backs=False, gloss=0.5),
    "pen": Form("round", (2.6, 17, 2.6), "pen", backs=False, gloss=0.5),
    "tube": Form("tube", (6.2, 18, 4.4), "tube", gloss=0.4),
}

# Flavour or scent word → hue, saturation, value of the colour that stands for it.
FLAVOURS: dict[str, tuple[float, float, float]] = {
    "原味": (0.13, 0.75, 0.95), "番茄": (0.01, 0.85, 0.88), "海苔": (0.40, 0.75, 0.45), "烧烤": (0.05, 0.80, 0.62),
    "黄瓜": (0.29, 0.70, 0.72), "香辣": (0.00, 0.92, 0.72), "蜂蜜": (0.11, 0.85, 0.92), "鲜虾": (0.03, 0.60, 0.95),
    "芝士": (0.15, 0.80, 1.00), "葱香": (0.34, 0.55, 0.72), "草莓": (0.96, 0.65, 0.95), "芒果": (0.12, 0.90, 1.00),
    "葡萄": (0.78, 0.60, 0.55), "柠檬": (0.17, 0.80, 0.98), "蓝莓": (0.66, 0.62, 0.60), "苹果": (0.26, 0.72, 0.80),
    "水蜜桃": (0.98, 0.38, 1.00), "抹茶": (0.27, 0.48, 0.62), "可可": (0.07, 0.70, 0.36), "香草": (0.14, 0.25, 0.98),
    "椰子": (0.52, 0.30, 0.92), "薄荷": (0.46, 0.55, 0.80), "海盐": (0.56, 0.50, 0.88), "奶油": (0.12, 0.30, 1.00),
    "红烧": (0.02, 0.85, 0.60), "酸菜": (0.22, 0.65, 0.62), "咖喱": (0.11, 0.95, 0.80), "菌菇": (0.08, 0.35, 0.66),
    "绿茶": (0.33, 0.55, 0.66), "茉莉": (0.36, 0.22, 0.94), "玫瑰": (0.93, 0.60, 0.82), "薰衣草": (0.74, 0.38, 0.82),
    "清爽": (0.53, 0.65, 0.85), "醇香": (0.06, 0.60, 0.45), "经典": (0.60, 0.75, 0.55), "金装": (0.12, 0.60, 0.82),
    "桂花": (0.13, 0.60, 0.96), "红枣": (0.99, 0.75, 0.55), "黑糖": (0.05, 0.50, 0.28), "紫薯": (0.80, 0.50, 0.50),
}  # fmt: skip


@dataclass(frozen=True)
class Supercategory:
    """One of RPC's 17 supercategories: the forms, words and colours of its products."""

    name: str
    chinese: str
    ids: tuple[int, ...]
    forms: tuple[str, ...]
    items: tuple[tuple[str, str], ...]  # (word, motif)
    flavours: tuple[str, ...]
    hues: tuple[float, ...]  # of the brands' base colours
    tone: tuple[float, float]  # their saturation and value
    patterns: tuple[str, ...]
    unit: str = "g"


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


SUPERCATEGORIES: tuple[Supercategory, ...] = (
    Supercategory("puffed_food", "膨化食品", _span(1, 12), ("bag", "bag", "bag"),
         (("薯片", "slices"), ("虾条", "prawn"), ("玉米棒", "corn"), ("米果", "rice"), ("洋葱圈", "rings")),
         ("原味", "番茄", "海苔", "烧烤", "黄瓜", "香辣", "鲜虾", "芝士"), (0.98, 0.13, 0.30, 0.07), (0.75, 0.85), ("rays", "burst", "plain", "wave")),
    Supercategory("dried_fruit", "干果", _span(13, 21), ("pouch", "pouch", "bag"),
         (("开心果", "nuts"), ("腰果", "bean"), ("瓜子", "seeds"), ("芒果干", "fruit"), ("葡萄干", "grapes")),
         ("原味", "蜂蜜", "海盐", "香辣", "奶油", "芒果", "柠檬"), (0.10, 0.33, 0.06, 0.60), (0.60, 0.80), ("window", "plain", "stripes", "window")),
    Supercategory("dried_food", "干货", _span(22, 30), ("pouch", "long bag", "pouch"),
         (("香菇", "mushroom"), ("木耳", "cloud"), ("红枣", "fruit"), ("银耳", "flower"), ("桂圆", "nuts")),
         ("原味", "金装", "红枣", "菌菇", "经典", "桂花"), (0.07, 0.36, 0.01, 0.12), (0.45, 0.75), ("window", "window", "plain", "grid")),
    Supercategory("instant_drink", "冲饮", _span(31, 41), ("cup", "box", "cup", "sachet"),
         (("奶茶", "mug"), ("咖啡", "bean"), ("麦片", "wheat"), ("豆浆粉", "drop"), ("藕粉", "flower")),
         ("原味", "草莓", "抹茶", "可可", "香草", "红枣", "醇香", "紫薯"), (0.07, 0.78, 0.55, 0.12), (0.60, 0.72), ("wave", "plain", "swirl", "split")),
    Supercategory("instant_noodles", "方便面", _span(42, 53), ("bowl", "cup", "long bag", "bowl"),
         (("拉面", "noodles"), ("米线", "noodles"), ("拌面", "chilli"), ("粉丝", "fish"), ("汤面", "bowl")),
         ("红烧", "酸菜", "香辣", "咖喱", "菌菇", "鲜虾", "番茄"), (0.00, 0.10, 0.33, 0.62), (0.82, 0.82), ("rays", "burst", "plain", "split")),
    Supercategory("dessert", "糕点", _span(54, 70), ("long bag", "box", "soft pack", "flat box"),
         (("饼干", "biscuit"), ("威化", "grid"), ("蛋糕", "cake"), ("蛋黄派", "ring"), ("曲奇", "flower")),
         ("奶油", "草莓", "可可", "柠檬", "抹茶", "香草", "葱香", "椰子", "海盐"), (0.62, 0.12, 0.36, 0.95), (0.62, 0.82), ("plain", "stripes", "dots", "wave")),
    Supercategory("drink", "饮料", _span(71, 78) + _span(81, 87), ("bottle", "can", "brick", "bottle"),
         (("果汁", "fruit"), ("汽水", "bubbles"), ("茶饮", "leaf"), ("纯净水", "drop"), ("运动饮料", "bolt")),
         ("葡萄", "柠檬", "水蜜桃", "绿茶", "茉莉", "芒果", "清爽", "苹果", "椰子"), (0.08, 0.58, 0.34, 0.98), (0.80, 0.80), ("wave", "split", "swirl", "plain"), "ml"),
    Supercategory("alcohol", "酒", _span(79, 80) + _span(88, 96), ("glass bottle", "slim can", "flask", "glass bottle"),
         (("啤酒", "wheat"), ("鸡尾酒", "bubbles"), ("白酒", "mountain"), ("米酒", "rice"), ("果酒", "grapes")),
         ("经典", "清爽", "水蜜桃", "蓝莓", "柠檬", "金装", "玫瑰"), (0.36, 0.54, 0.11, 0.99), (0.70, 0.55), ("plain", "shield", "stripes", "split"), "ml"),
    Supercategory("milk", "牛奶", _span(97, 107), ("brick", "milk carton", "small bottle", "brick"),
         (("纯牛奶", "cow"), ("酸奶", "swirl"), ("乳酸菌", "bubbles"), ("早餐奶", "wheat"), ("儿童奶", "heart")),
         ("原味", "草莓", "红枣", "可可", "蓝莓", "香草", "水蜜桃"), (0.58, 0.55, 0.36, 0.97), (0.45, 0.95), ("split", "wave", "plain", "spots"), "ml"),
    Supercategory("canned_food", "罐头", _span(108, 121), ("tin", "oval tin", "tin", "jar"),
         (("鱼罐头", "fish"), ("黄桃罐头", "fruit"), ("八宝粥", "bowl"), ("午餐肉", "slices"), ("玉米粒", "corn")),
         ("红烧", "原味", "香辣", "桂花", "番茄", "金装", "葱香"), (0.02, 0.14, 0.58, 0.33), (0.72, 0.75), ("split", "plain", "rays", "stripes")),
    Supercategory("chocolate", "巧克力", _span(122, 133), ("bar", "box", "bar", "small pack"),
         (("黑巧", "grid"), ("夹心巧", "slices"), ("榛果巧", "nuts"), ("威化巧", "biscuit"), ("巧克力豆", "dots")),
         ("可可", "醇香", "奶油", "草莓", "薄荷", "海盐", "抹茶"), (0.06, 0.72, 0.02, 0.09), (0.62, 0.42), ("plain", "swirl", "stripes", "split")),
    Supercategory("gum", "口香糖", _span(134, 141), ("stick", "canister", "stick", "canister"),
         (("口香糖", "leaf"), ("木糖醇", "bubbles"), ("泡泡糖", "ring"), ("薄荷糖片", "star")),
         ("薄荷", "草莓", "柠檬", "蓝莓", "清爽", "水蜜桃"), (0.36, 0.55, 0.66, 0.95), (0.75, 0.78), ("stripes", "burst", "wave", "plain")),
    Supercategory("candy", "糖果", _span(142, 151), ("sachet", "candy tube", "bag", "sachet"),
         (("软糖", "bear"), ("硬糖", "star"), ("棒棒糖", "swirl"), ("牛轧糖", "cow"), ("酥糖", "flower")),
         ("草莓", "葡萄", "苹果", "柠檬", "芒果", "奶油", "椰子"), (0.94, 0.14, 0.80, 0.50), (0.68, 0.92), ("dots", "swirl", "burst", "stripes")),
    Supercategory("seasoner", "调味品", _span(152, 163), ("sachet", "sauce bottle", "sachet", "jar"),
         (("椒盐", "chilli"), ("鸡精", "bird"), ("酱油", "bean"), ("香醋", "drop"), ("孜然粉", "seeds")),
         ("香辣", "金装", "经典", "葱香", "菌菇", "醇香", "红烧"), (0.34, 0.00, 0.12, 0.05), (0.80, 0.62), ("split", "plain", "shield", "split")),
    Supercategory("personal_hygiene", "个人卫生", _span(164, 173), ("tube box", "tube", "pump bottle", "soft pack"),
         (("牙膏", "tooth"), ("洗发露", "drop"), ("香皂", "flower"), ("沐浴露", "bubbles"), ("洗手液", "leaf")),
         ("薄荷", "海盐", "玫瑰", "薰衣草", "柠檬", "绿茶", "清爽"), (0.58, 0.50, 0.92, 0.30), (0.62, 0.88), ("wave", "split", "swirl", "plain")),
    Supercategory("tissue", "纸巾", _span(174, 193), ("soft pack", "small pack", "roll pack", "soft pack", "box"),
         (("抽纸", "feather"), ("手帕纸", "flower"), ("卷纸", "cloud"), ("湿巾", "drop"), ("面巾纸", "heart")),
         ("茉莉", "薰衣草", "玫瑰", "清爽", "绿茶", "海盐", "水蜜桃", "经典"), (0.72, 0.56, 0.94, 0.36), (0.38, 0.92), ("wave", "plain", "dots", "stripes")),
    Supercategory("stationery", "文具", _span(194, 200), ("pen", "notebook", "stick", "box"),
         (("中性笔", "pencil"), ("笔记本", "star"), ("橡皮", "bear"), ("便利贴", "heart")),
         ("经典", "清爽", "草莓", "柠檬", "蓝莓", "薄荷"), (0.60, 0.00, 0.16, 0.40), (0.70, 0.80), ("grid", "stripes", "plain", "dots"), "件"),
)  # fmt: skip


@dataclass(frozen=True)
class SubClass:
    """One of MEP-3M's sub-classes: which supercategories' products it sells, in which forms, and what it says of them."""

    id: int
    name: str
    class_id: int
    class_name: str
    supercategories: tuple[str, ...]
    forms: tuple[str, ...]  # empty: those of the supercategories
    words: tuple[str, ...]
    third: tuple[tuple[int, str], ...] = ()
    items: tuple[str, ...] = ()  # item words it keeps to; empty: all of the supercategories


_FOOD = (5, "食品/酒水/生鲜/特产")
_HOME = (6, "美妆/个护清洁/宠物")
_BABY = (7, "母婴/玩具/童装")
_OFFICE = (3, "电脑办公")

SUB_CLASSES: tuple[SubClass, ...] = (
    SubClass(305, "休闲零食", *_FOOD, ("puffed_food",), ("bag", "sachet"), ("休闲零食", "办公室零食", "追剧小吃")),
    SubClass(533, "休闲食品", *_FOOD, ("puffed_food",), ("box", "bag", "canister"), ("休闲食品", "大礼包", "膨化食品")),
    SubClass(318, "坚果炒货", *_FOOD, ("dried_fruit",), ("pouch", "jar"), ("坚果炒货", "每日坚果", "年货干果"), (), ("开心果", "腰果", "瓜子")),
    SubClass(320, "蜜饯果干", *_FOOD, ("dried_fruit",), ("pouch", "sachet"), ("蜜饯果干", "果脯", "水果干"), (), ("芒果干", "葡萄干")),
    SubClass(538, "南北干货", *_FOOD, ("dried_food",), (), ("南北干货", "煲汤食材", "山珍特产"), ((618, "南北干货"), (632, "海产干货"))),
    SubClass(15, "咖啡/奶茶", *_FOOD, ("instant_drink",), ("cup", "box", "jar"), ("速溶", "三合一", "下午茶"), (), ("奶茶", "咖啡")),
    SubClass(536, "冲调饮品", *_FOOD, ("instant_drink",), ("pouch", "canister", "cup"), ("冲调饮品", "代餐", "营养早餐"),
             ((619, "冲调饮品"), (620, "调味品"), (621, "冲饮谷物")), ("麦片", "豆浆粉", "藕粉")),
    SubClass(17, "方便速食", *_FOOD, ("instant_noodles", "canned_food"), (), ("方便速食", "夜宵", "即食")),
    SubClass(303, "饼干蛋糕", *_FOOD, ("dessert",), (), ("饼干蛋糕", "早餐点心", "下午茶糕点")),
    SubClass(3, "饮料饮品", *_FOOD, ("drink",), (), ("饮料", "整箱", "夏日饮品"), (), ("果汁", "汽水", "茶饮", "运动饮料")),
    SubClass(324, "饮用水", *_FOOD, ("drink",), ("bottle", "bottle", "small bottle"), ("饮用水", "天然水", "会议用水"), (), ("纯净水",)),
    SubClass(534, "酒", *_FOOD, ("alcohol",), (), ("聚会", "送礼", "微醺")),
    SubClass(13, "牛奶乳品", *_FOOD, ("milk",), ("brick", "small bottle"), ("牛奶乳品", "乳饮料", "整箱"), (), ("酸奶", "乳酸菌", "儿童奶")),
    SubClass(307, "牛奶", *_FOOD, ("milk",), ("brick", "milk carton"), ("牛奶", "高钙", "全脂"), (), ("纯牛奶", "早餐奶")),
    SubClass(304, "糖果/巧克力", *_FOOD, ("chocolate", "gum", "candy"), (), ("糖果", "喜糖", "礼盒")),
    SubClass(306, "粮油调味", *_FOOD, ("seasoner",), ("sauce bottle", "pouch"), ("粮油调味", "家用", "厨房"), (), ("酱油", "香醋", "鸡精")),
    SubClass(537, "厨房调料", *_FOOD, ("seasoner",), ("sachet", "jar"), ("厨房调料", "炒菜", "烧烤料"), (), ("椒盐", "孜然粉", "鸡精")),
    SubClass(392, "个护健康", *_HOME, ("personal_hygiene",), ("tube box", "tube"), ("个护健康", "清洁", "家庭装"), (), ("牙膏", "香皂")),
    SubClass(5, "洗发沐浴", *_BABY, ("personal_hygiene",), ("pump bottle",), ("宝宝", "洗发沐浴", "温和无泪"), (), ("洗发露", "沐浴露")),
    SubClass(278, "婴儿口腔清洁", *_BABY, ("personal_hygiene",), ("tube", "tube box"), ("婴儿", "儿童", "乳牙清洁"), (), ("牙膏",)),
    SubClass(279, "洗衣液/皂", *_BABY, ("personal_hygiene",), ("pump bottle", "soft pack"), ("洗衣", "婴儿专用", "去渍"), (), ("香皂", "洗手液")),
    SubClass(405, "生活用纸", *_HOME, ("tissue",), ("soft pack", "roll pack", "small pack"), ("生活用纸", "整箱", "家用"), (), ("抽纸", "手帕纸", "卷纸")),
    SubClass(568, "母婴专用纸", *_BABY, ("tissue",), ("soft pack", "box"), ("婴儿", "母婴专用", "柔润"), (), ("湿巾", "面巾纸", "抽纸")),
    SubClass(102, "学生文具", *_OFFICE, ("stationery",), ("box", "stick"), ("学生文具", "开学", "奖品"), (), ("橡皮", "便利贴")),
    SubClass(105, "本册/便签", *_OFFICE, ("stationery",), ("notebook",), ("本册", "记事", "办公"), (), ("笔记本", "便利贴")),
    SubClass(107, "笔类", *_OFFICE, ("stationery",), ("pen", "stick"), ("办公用笔", "签字", "书写"), (), ("中性笔",)),
)  # fmt: skip
