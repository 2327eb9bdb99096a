# /// script
# requires-python = ">=3.11"
# dependencies = ["sqlalchemy"]
# ///
import tempfile
import threading

from sqlalchemy import ForeignKey, create_engine, func, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload
from sqlalchemy.schema import CreateTable


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship(back_populates="author")


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")


def add(engine, number):
    with Session(engine) as session, session.begin():
        session.add(Author(name=f"author {number}"))


def main():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(Author(name="x", books=[Book(title="one"), Book(title="two")]))
        session.commit()
        statement = select(Author.name, func.count(Book.id)).join(Book).group_by(Author.id)
        print(statement)
        print(session.execute(statement).all())
        author = session.scalars(select(Author).options(selectinload(Author.books)).where(Author.name.like("x%"))).one()
        print([book.title for book in author.books], author.books[0].author is author)
        author.books.append(Book(title="three"))
        session.flush()
        print(session.scalar(select(func.count()).select_from(Book)), session.dirty, session.get(Author, 2))
        session.rollback()
        print(session.execute(text("select count(*) from book where title != :t"), {"t": "one"}).scalar_one())
        try:
            session.add(Book(title="orphan"))
            session.commit()
        except IntegrityError as error:
            print(error.orig)
    print(inspect(engine).get_columns("book")[1]["name"], CreateTable(Book.__table__).compile(engine))
    with tempfile.TemporaryDirectory() as place:
        kept = create_engine(f"sqlite:///{place}/data.db")
        Base.metadata.create_all(kept)
        workers = [threading.Thread(target=add, args=(kept, number)) for number in range(4)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        with Session(kept) as session:
            print(sorted(session.scalars(select(Author.name))))
        kept.dispose()


if __name__ == "__main__":
    main()
